import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The folder of the workspace, with a slash at its end. */
export const root = fileURLToPath(new URL('..', import.meta.url))

/** A file of the workspace, with its path from there. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

/** The names of the packages: `ls packages`. */
export const packageNames: readonly string[] = readdirSync(`${root}packages`).sort()

/** The names of the examples, each a package as anybody would write it: `ls examples`. */
export const exampleNames: readonly string[] = readdirSync(`${root}examples`).sort()

/** Every file below a folder whose name ends as given, without what is installed or built. */
export function filesBelow (folder: string, ending: RegExp): readonly SourceFile[] {
  return readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' })
    .filter(name => ending.test(name) && !/(^|\/)(node_modules|dist|build)\//.test(name))
    .map(name => ({ path: `${folder}/${name}`, text: readFileSync(`${root}${folder}/${name}`, 'utf8') }))
}

/** The TypeScript sources of one of our packages, by its name. */
export function sourcesOf (name: string): readonly SourceFile[] {
  return sourcesIn(`packages/${name}`)
}

/** The TypeScript sources of a package, by its folder. */
export function sourcesIn (folder: string): readonly SourceFile[] {
  return filesBelow(`${folder}/src`, /\.ts$/)
}

/** The modules that a source imports or re-exports, types too. */
export function importsOf (text: string): readonly string[] {
  const statements = text.replace(/\/\*[\s\S]*?\*\//g, '')
  return [...statements.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(match => match[1] ?? '')
}
