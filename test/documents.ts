import { readdirSync, readFileSync } from 'node:fs'
import ts from 'typescript'
import { exampleNames, filesBelow, packageNames, root, sourcesOf } from './sources.js'
import type { SourceFile } from './sources.js'

/** A fenced block of a document. */
export interface CodeBlock {
  readonly path: string
  readonly line: number
  readonly language: string
  /** The file that it is, where the document says so: ```ts [src/index.ts] */
  readonly title: string | undefined
  readonly text: string
}

/** What people read: Markdown, and what the modules of the packages say about themselves. */
export const documents: readonly SourceFile[] = [
  ...readdirSync(root).filter(name => name.endsWith('.md'))
    .map(name => ({ path: name, text: readFileSync(`${root}${name}`, 'utf8') })),
  // The reference is made of the sources, when the site is built.
  ...filesBelow('docs', /\.md$/).filter(file => !file.path.startsWith('docs/reference/')),
  ...packageNames.flatMap(name => filesBelow(`packages/${name}`, /(^|\/)README\.md$/)),
  ...exampleNames.flatMap(name => filesBelow(`examples/${name}`, /^README\.md$/)),
  ...filesBelow('bench', /^README\.md$/),
  ...packageNames.flatMap(name => sourcesOf(name)).filter(file => file.path.endsWith('/index.ts'))
]

/** The fenced blocks of a document; those in doc comments come without their asterisks. */
export function blocksOf ({ path, text }: SourceFile): readonly CodeBlock[] {
  const plain = path.endsWith('.ts') ? text.replace(/^ \* ?/gm, '') : text
  return [...plain.matchAll(/^( *)```([a-z]*)(.*)\n([\s\S]*?)^ *```$/gm)].map(match => ({
    path,
    line: plain.slice(0, match.index).split('\n').length,
    language: match[2] ?? '',
    title: /\[(.+)\]/.exec(match[3] ?? '')?.[1],
    text: match[4] ?? ''
  }))
}

/** Every block of every document in one of some languages. */
export function blocksIn (...languages: readonly string[]): readonly CodeBlock[] {
  return documents.flatMap(blocksOf).filter(block => languages.includes(block.language))
}

/** Compiles files as strictly as everything else here, against the sources, and returns what is wrong with them. */
export function compile (names: readonly string[], options: ts.CompilerOptions = {}): readonly string[] {
  const config = ts.readConfigFile(`${root}tsconfig.tests.json`, path => ts.sys.readFile(path))
  const parsed = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
  const program = ts.createProgram(names, { ...parsed.options, checkJs: true, ...options })
  return ts.getPreEmitDiagnostics(program)
    .filter(each => each.file !== undefined && names.includes(each.file.fileName))
    .map(each => {
      const line = each.file?.getLineAndCharacterOfPosition(each.start ?? 0).line ?? 0
      const message = ts.flattenDiagnosticMessageText(each.messageText, ' ')
      return `${each.file?.fileName.slice(root.length) ?? ''}:${line + 1}: ${message}`
    })
}
