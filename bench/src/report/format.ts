import type { Cell, PartResult, Section } from './section.js'

/** Three digits, and no more zeroes than a reader can count. */
export function formatNumber (value: number): string {
  if (!Number.isFinite(value)) return '-'
  const size = Math.abs(value)
  if (size >= 1e6) return `${(value / 1e6).toPrecision(3)} M`
  if (size >= 1e4) return `${(value / 1e3).toPrecision(3)} k`
  if (size >= 1000) return value.toFixed(0)
  return size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2)
}

export function formatCell (cell: Cell): string {
  if (typeof cell === 'string') return cell
  if (typeof cell === 'number') return formatNumber(cell)
  return `${formatNumber(cell.median)} (${formatNumber(cell.min)}–${formatNumber(cell.max)})`
}

/** For the terminal. */
export function formatSection (section: Section): string {
  const table = [section.columns, ...section.rows.map(({ name, cells }) => [name, ...cells.map(formatCell)])]
  const widths = section.columns.map((_, column) => Math.max(...table.map(row => row[column]?.length ?? 0)))
  const lines = table.map(row =>
    row.map((text, column) => column === 0 ? text.padEnd(widths[0]!) : text.padStart(widths[column]!)).join('  ')
  )
  return `\n${section.title}\n${lines.map(line => `  ${line.trimEnd()}`).join('\n')}\n`
}

/** For docs/performance.md. */
export function sectionMarkdown (section: Section): string {
  const row = (texts: readonly string[]): string => `| ${texts.map(text => text.replaceAll('|', '\\|')).join(' | ')} |`
  const table = [
    row(section.columns),
    row(section.columns.map((_, column) => column === 0 ? '---' : '---:')),
    ...section.rows.map(({ name, cells }) => row([name, ...cells.map(formatCell)]))
  ]
  return [`#### ${section.title}`, '', section.note, '', ...table, ...chartMarkdown(section)].join('\n')
}

export function partMarkdown ({ machine, command, takenAt, sections }: PartResult): string {
  const { processor, cores, memoryGiB, kernel, node, loadBefore } = machine
  const where = `${processor}, ${cores} cores, ${memoryGiB} GiB; Linux ${kernel}; Node ${node}`
  const head = `Taken ${takenAt.slice(0, 10)} with \`${command}\` on ${where}; load per core before: ${loadBefore}.`
  return [head, ...sections.map(sectionMarkdown)].join('\n\n')
}

function chartMarkdown ({ title, columns, rows, chart }: Section): string[] {
  if (chart === undefined) return []
  const labels = rows.map(({ name }) => `"${name.replaceAll('"', '')}"`)
  const bars = chart.columns.map(column =>
    `  bar [${rows.map(({ cells }) => barHeight(cells[column - 1])).join(', ')}]`
  )
  const legend = chart.columns.length > 1 ?
    ['', `Bars, from back to front: ${chart.columns.map(column => columns[column]).join(', ')}.`] :
    []
  return [
    ...['', '```mermaid', 'xychart-beta', `  title "${title}"`, `  x-axis [${labels.join(', ')}]`],
    ...[`  y-axis "${chart.axis}"`, ...bars, '```', ...legend]
  ]
}

function barHeight (cell: Cell | undefined): number {
  const value = typeof cell === 'object' ? cell.median : Number(cell)
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : 0
}
