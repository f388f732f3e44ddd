import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { afterAll, describe, expect, it } from 'vitest'
import { exampleNames, filesBelow, packageNames, root, sourcesOf } from './sources.js'
import type { SourceFile } from './sources.js'

/** The TypeScript examples of a document: fenced blocks, those in doc comments without their asterisks. */
function examplesOf (file: SourceFile): readonly string[] {
  const text = file.path.endsWith('.ts') ? file.text.replace(/^ \* ?/gm, '') : file.text
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map(match => match[1] ?? '')
}

const documents: readonly SourceFile[] = [
  { path: 'README.md', text: readFileSync(`${root}README.md`, 'utf8') },
  ...filesBelow('docs', /\.md$/),
  ...packageNames.flatMap(name => filesBelow(`packages/${name}`, /^README\.md$/)),
  ...exampleNames.flatMap(name => filesBelow(`examples/${name}`, /^README\.md$/)),
  ...packageNames.flatMap(name => sourcesOf(name)).filter(file => file.path.endsWith('/index.ts'))
]

// Below test/, so that the examples find the packages the way an application does.
const folder = mkdtempSync(join(root, 'test', '.examples-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('the examples in the documents', () => {
  it('stand in the README and in every package', () => {
    const without = documents.filter(file => /^README\.md$|src\/index\.ts$/.test(file.path))
      .filter(file => examplesOf(file).length === 0)
    expect(without.map(file => file.path)).toEqual([])
  })

  it('compile', () => {
    const config = ts.readConfigFile(`${root}tsconfig.tests.json`, path => ts.sys.readFile(path))
    const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
    const names = documents.flatMap(file =>
      examplesOf(file).map((example, index) => {
        const name = join(folder, `${file.path.replaceAll('/', '_')}-${index}.ts`)
        writeFileSync(name, `${example}\nexport {}\n`)
        return name
      })
    )
    const program = ts.createProgram(names, { ...options, noUnusedLocals: false, noUnusedParameters: false })
    const complaints = ts.getPreEmitDiagnostics(program)
      .filter(each => each.file !== undefined && names.includes(each.file.fileName))
      .map(each => `${each.file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(each.messageText, ' ')}`)
    expect(complaints).toEqual([])
  }, 120_000)
})
