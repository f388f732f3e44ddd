import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'

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
    ...findMore('descriptors', before.descriptors, after.descriptors),
    ...findMore('mappings', before.files, after.files)
  ]
  const growth = after.mappingCount - before.mappingCount
  return growth > slack ? [...grown, `mappings: ${before.mappingCount} before, ${after.mappingCount} after`] : grown
}

/** The descriptors and mappings by which a process holds a file, a line each. The inode tells files apart. */
export function findTraces (pid: number, inode: number): string[] {
  const lines = readFileSync(`/proc/${pid}/maps`, 'utf8').trimEnd().split('\n')
  const mappings = lines.filter(line => Number(line.split(/\s+/)[4]) === inode)
  const descriptors = readdirSync(`/proc/${pid}/fd`).filter(entry =>
    statSync(`/proc/${pid}/fd/${entry}`, { throwIfNoEntry: false })?.ino === inode
  )
  return [...mappings, ...descriptors.map(entry => `descriptor ${entry}`)]
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

/** How often each name is there. */
export function countEach (names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

/** What there is more of than before, a line each. */
export function findMore (
  what: string,
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>
): string[] {
  return [...after].flatMap(([name, count]) => {
    const earlier = before.get(name) ?? 0
    return count > earlier ? [`${what} of ${name}: ${earlier} before, ${count} after`] : []
  })
}
