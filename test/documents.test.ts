import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { blocksIn, blocksOf, compile, documents } from './documents.js'
import { root } from './sources.js'

/** What a block may be in, so that whoever adds another one says how it is kept true. */
const LANGUAGES: Readonly<Record<string, string>> = {
  ts: 'compiled here, or run as a file of a project',
  js: 'compiled here',
  sh: 'its commands and their options exist: documents-commands.test.ts',
  yaml: 'what `pcikit serve` takes is checked: documents-commands.test.ts',
  json: 'parsed: documents-commands.test.ts',
  md: 'a form to fill in',
  mermaid: 'a chart, drawn when the site is built',
  '': 'output, pictures, lines of other programs'
}

// Below test/, so that the examples find the packages the way an application does.
const folder = mkdtempSync(join(root, 'test', '.examples-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('the blocks of code in the documents', () => {
  it('stand in the README and in every package', () => {
    const without = documents.filter(file => /^README\.md$|src\/index\.ts$/.test(file.path))
      .filter(file => !blocksOf(file).some(block => block.language === 'ts'))
    expect(without.map(file => file.path)).toEqual([])
  })

  it('are in a language that is known here', () => {
    const others = documents.flatMap(blocksOf).filter(({ language }) => LANGUAGES[language] === undefined)
    expect(others.map(({ path, line, language }) => `${path}:${line}: ${language}`)).toEqual([])
  })

  it('compile', () => {
    const names = blocksIn('ts', 'js').filter(block => block.title === undefined).map(block => {
      const name = `${block.path.replaceAll('/', '_')}-line-${block.line}.${block.language === 'ts' ? 'ts' : 'mjs'}`
      writeFileSync(join(folder, name), `${block.text}\nexport {}\n`)
      return join(folder, name)
    })
    expect(compile(names, { noUnusedLocals: false, noUnusedParameters: false })).toEqual([])
  }, 120_000)
})
