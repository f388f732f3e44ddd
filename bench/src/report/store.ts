import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { partMarkdown } from './format.js'
import type { PartResult } from './section.js'

const bench = fileURLToPath(new URL('../..', import.meta.url))
/** What was measured here, last. */
const resultsFolder = join(bench, 'results')
/** What docs/performance.md shows. */
const referenceFolder = join(bench, 'reference')
const page = join(bench, '../docs/performance.md')

export function writeResult (result: PartResult): string {
  mkdirSync(resultsFolder, { recursive: true })
  const path = join(resultsFolder, `${result.part}.json`)
  writeFileSync(path, `${JSON.stringify(result, undefined, 2)}\n`)
  return path
}

/** Makes what was measured here, of these parts or of all, the reference, and shows the reference in the page. */
export function writeDocs (parts: readonly string[]): void {
  mkdirSync(referenceFolder, { recursive: true })
  const measured = existsSync(resultsFolder) ? readdirSync(resultsFolder).filter(name => name.endsWith('.json')) : []
  for (const name of measured) {
    if (parts.length > 0 && !parts.includes(name.replace('.json', ''))) continue
    copyFileSync(join(resultsFolder, name), join(referenceFolder, name))
  }
  let text = readFileSync(page, 'utf8')
  for (const name of readdirSync(referenceFolder)) {
    const result = JSON.parse(readFileSync(join(referenceFolder, name), 'utf8')) as PartResult
    text = fill(text, result.part, partMarkdown(result))
  }
  writeFileSync(page, text)
}

/** Replaces what is between the marks of a part. */
function fill (text: string, part: string, content: string): string {
  const begin = `<!-- figures: ${part} -->`
  const end = '<!-- end of figures -->'
  const from = text.indexOf(begin)
  const to = text.indexOf(end, from)
  if (from === -1 || to === -1) throw new Error(`docs/performance.md has no place for the figures of "${part}".`)
  return `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`
}
