// What the documents have a reader try in a guest.
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { projects, runTests, writeFiles } from '../documented-projects.js'
import { root } from '../sources.js'

// Below test/, so that the projects find the packages the way an application does.
const folder = mkdtempSync(join(root, 'test', '.examples-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('the tests in a guest that the documents have', () => {
  it('pass', async () => {
    const names = projects.flatMap(({ name, files }) => writeFiles(join(folder, name), files))
      .filter(name => name.includes('/test/vm/'))
    expect(names.length).toBeGreaterThan(1)
    const { files, failures } = await runTests(folder, '*/test/vm/*.test.ts')
    expect(files).toEqual([...names].sort())
    expect(failures).toEqual([])
  })
})
