import { basename } from 'node:path'

/** A place in the program that sees too many kinds of objects to be fast. */
export interface MegamorphicSite {
  readonly place: string
  readonly property: string
  /** The function that it is in, as profiles call it: name, file and line. */
  readonly function: string
}

/** The state of a cache as the engine logs it, when it has given up telling kinds apart. */
const MEGAMORPHIC = 'N'
/** The packages on the path of the data. */
const OURS = /^(\S*) .*packages\/((?:device-nvme|device-virtio-blk|virtio|dma|block|core|wire)\/dist\/[^:]+):(\d+):/

interface Code {
  readonly start: number
  readonly end: number
  readonly name: string
}

/**
 * Finds the places that became megamorphic in what `--log-ic --log-code` wrote. A line about a cache is: kind, address,
 * time, line, column, old state, new state, map, name, and so on; the lines about code tell whose address it is.
 */
export function megamorphicSites (log: string): MegamorphicSite[] {
  const codes = new Map<number, Code>()
  const sites = new Map<string, MegamorphicSite>()
  for (const line of log.split('\n')) {
    const fields = line.split(',')
    const [kind = '', first = '', second = ''] = fields
    if (kind === 'code-creation') keepCode(codes, fields)
    else if (kind === 'code-move') moveCode(codes, Number(first), Number(second))
    else if (kind.endsWith('IC') && fields[6] === MEGAMORPHIC && fields[5] !== MEGAMORPHIC) {
      const site = siteOf(codes, fields)
      if (site !== undefined) sites.set(`${site.place} ${site.property}`, site)
    }
  }
  return [...sites.values()]
}

/** `code-creation`, type, kind, time, address, size, name. */
function keepCode (codes: Map<number, Code>, fields: readonly string[]): void {
  const start = Number(fields[4])
  codes.set(start, { start, end: start + Number(fields[5]), name: fields[6] ?? '' })
}

function moveCode (codes: Map<number, Code>, from: number, to: number): void {
  const code = codes.get(from)
  if (code === undefined) return
  codes.delete(from)
  codes.set(to, { start: to, end: to + code.end - code.start, name: code.name })
}

function siteOf (codes: ReadonlyMap<number, Code>, fields: readonly string[]): MegamorphicSite | undefined {
  const address = Number(fields[1])
  for (const { start, end, name: code } of codes.values()) {
    if (address < start || address >= end) continue
    const match = OURS.exec(code)
    if (match === null) continue
    const [, name = '', file = '', line] = match
    return {
      place: `${file}:${fields[3]}:${fields[4]}`,
      property: `${fields[0]} ${fields[8]}`,
      function: `${name} ${basename(file)}:${line}`
    }
  }
  return undefined
}
