import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { compile } from './documents.js'
import { projects, runTests, writeFiles } from './documented-projects.js'
import { root } from './sources.js'

// Below test/, so that the projects find the packages the way an application does.
const folder = mkdtempSync(join(root, 'test', '.examples-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('the files that the documents have a reader make', () => {
  const names = projects.flatMap(({ name, files }) => writeFiles(join(folder, name), files))

  it('are there', () => {
    expect(projects.map(({ name }) => name)).toContain('docs_tutorial.md-3')
  })

  it('compile, after each step', () => {
    expect(compile(names.filter(name => name.endsWith('.ts')))).toEqual([])
  }, 120_000)

  it('pass the tests among them, after each step', async () => {
    const { files, failures } = await runTests(folder, '*/test/*.test.ts')
    expect(files).toEqual(names.filter(name => /\/test\/[^/]+\.test\.ts$/.test(name)).sort())
    expect(failures).toEqual([])
  }, 300_000)
})
