import { DmaAccess, DmaFault } from '@pcikit/core'
import type { RecordEntry } from '@pcikit/core/host'

/** Which entries of a record are meant. */
export interface EventFilter {
  /** Only what concerns this guest address: regions that hold it, and what concerns all of them. */
  readonly iova?: number
  readonly device?: string
}

type Ranged = Extract<RecordEntry, { readonly iova: number }>

/** Prints the entries, one line each, and for an address what became of it. */
export function describeEvents (entries: readonly RecordEntry[], filter: EventFilter = {}): string {
  const chosen = entries.filter(entry => concerns(entry, filter))
  const lines = chosen.map(entry => `${describeHead(entry)}  ${describeEvent(entry)}`)
  if (filter.iova !== undefined) lines.push('', ...conclude(chosen, filter.iova))
  return `${lines.join('\n')}\n`
}

function concerns (entry: RecordEntry, { iova, device }: EventFilter): boolean {
  if (device !== undefined && entry.device !== device) return false
  return iova === undefined || !isRanged(entry) || holds(entry, iova)
}

function isRanged (entry: RecordEntry): entry is Ranged {
  return 'iova' in entry
}

function holds (entry: Ranged, iova: number): boolean {
  return iova >= entry.iova && iova < entry.iova + entry.byteLength
}

function describeHead (entry: RecordEntry): string {
  return `#${entry.sequence}  ${new Date(entry.timeMs).toISOString()}  ${entry.device}`
}

function describeEvent (entry: RecordEntry): string {
  switch (entry.type) {
    case 'map':
      return `map      ${range(entry)} ${nameOf(DmaAccess, entry.access)} ` +
        (entry.fileOffset === undefined ? 'by message' : `file offset ${hex(entry.fileOffset)}`)
    case 'unmap':
      return `unmap    ${range(entry)} took ${entry.durationMs.toFixed(3)} ms`
    case 'fault':
      return `fault    ${range(entry)} ${nameOf(DmaAccess, entry.access)} ${nameOf(DmaFault, entry.fault)}`
    case 'bus-master':
      return `bus mastering ${entry.enabled ? 'on' : 'off'}`
    case 'reset':
      return `reset    by ${entry.cause}`
    case 'power':
      return `power    ${entry.state}`
    case 'interrupts':
      return `interrupts of kind ${entry.index}: vectors ${entry.start} to ${entry.start + entry.count - 1} set up`
    case 'client':
      return `client   ${entry.connected ? 'connected' : 'gone'}`
    case 'swap':
      return `swap     of its code took ${entry.durationMs.toFixed(3)} ms, state ${entry.state}`
  }
}

/** For each device the last thing that decided whether the address can be reached. */
function conclude (entries: readonly RecordEntry[], iova: number): readonly string[] {
  const devices = [...new Set(entries.map(entry => entry.device))]
  if (devices.length === 0) return [`The record says nothing about ${hex(iova)}.`]
  return devices.map(device => {
    const last = entries.findLast(entry => entry.device === device && (entry.type === 'map' || entry.type === 'unmap'))
    if (last === undefined) return `${device}: nothing was mapped at ${hex(iova)}.`
    if (last.type === 'map') return `${device}: ${hex(iova)} is mapped, by #${last.sequence}.`
    return `${device}: ${hex(iova)} is not mapped, #${last.sequence} removed it.`
  })
}

function range (entry: Ranged): string {
  return `[${hex(entry.iova)}, ${hex(entry.iova + entry.byteLength)})`
}

function hex (value: number): string {
  return `0x${value.toString(16)}`
}

function nameOf (names: Readonly<Record<string, number>>, value: number): string {
  return Object.entries(names).find(([, each]) => each === value)?.[0] ?? String(value)
}
