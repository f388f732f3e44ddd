import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** What a process holds: descriptors and mapped files by what they stand for, and how many mappings in all. */
export interface ProcessUse {
  readonly descriptors: ReadonlyMap<string, number>
  readonly files: ReadonlyMap<string, number>
  readonly mappingCount: number
}

/** Reads from /proc what a process holds now. */
export function readProcessUse (pid: number): ProcessUse {
  const lines = readFileSync(`/proc/${pid}/maps`, 'utf8').trimEnd().split('\n')
  return {
    descriptors: countEach(readDescriptors(pid).map(nameKind)),
    files: countEach(lines.flatMap(fileOf)),
    mappingCount: lines.length
  }
}

/** What a process holds more of than before, a line each. Mappings without a name may grow by `slack`. */
export function findGrowth (before: ProcessUse, after: ProcessUse, slack: number): string[] {
  const grown = [
    ...compare('descriptors', before.descriptors, after.descriptors),
    ...compare('mappings', before.files, after.files)
  ]
  const growth = after.mappingCount - before.mappingCount
  return growth > slack ? [...grown, `mappings: ${before.mappingCount} before, ${after.mappingCount} after`] : grown
}

/** Whether a name, such as that of a memory file, is among the mappings or the descriptors. */
export function holdsFile (use: ProcessUse, name: string): boolean {
  return [...use.descriptors.keys(), ...use.files.keys()].some(each => each.includes(name))
}

function readDescriptors (pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap(entry => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${entry}`)]
    } catch {
      return [] // It was closed since the folder was read.
    }
  })
}

/** `socket:[123]` and `socket:[456]` are of one kind. */
function nameKind (target: string): string {
  return target.replace(/:\[\d+\]$/, '')
}

function fileOf (line: string): string[] {
  const [, , , , inode = '0', ...path] = line.split(/\s+/)
  return inode === '0' ? [] : [path.join(' ')]
}

function countEach (names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

function compare (what: string, before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string[] {
  return [...after].flatMap(([name, count]) => {
    const earlier = before.get(name) ?? 0
    return count > earlier ? [`${what} of ${name}: ${earlier} before, ${count} after`] : []
  })
}
