import { crc32 } from 'node:zlib'
import { PcikitError } from '@pcikit/core'
import { ascii, struct, u32, u64, u8 } from '@pcikit/wire'
import { ZoneState } from './zone-constants.js'
import type { ZoneGeometry } from './zone-geometry.js'
import type { ZoneTable } from './zone-table.js'

/** How a zone state file starts. The checksum is a CRC-32 of all that follows it. */
const SnapshotHeader = struct('ZoneSnapshot', 64, {
  signature: ascii(0, 8),
  version: u32(8),
  checksum: u32(12),
  model: u8(16),
  capacitySectors: u64(24),
  zoneSectors: u32(32),
  zoneCapacitySectors: u32(36),
  conventionalCount: u32(40),
  zoneCount: u32(44)
})

/** A zone in it. */
const SnapshotEntry = struct('ZoneSnapshotEntry', 8, { written: u32(0), state: u8(4) })

const SIGNATURE = 'PCIKITZS'
const VERSION = 1
const CHECKED_FROM = 16

/** What must be the same where a snapshot is taken over. */
const GEOMETRY = [
  'model',
  'capacitySectors',
  'zoneSectors',
  'zoneCapacitySectors',
  'conventionalCount',
  'zoneCount'
] as const

/** States and write pointers as they are now. Writes in flight are not in it. */
export function takeSnapshot (table: ZoneTable): Uint8Array {
  const { geometry } = table
  const bytes = new Uint8Array(SnapshotHeader.byteLength + geometry.zoneCount * SnapshotEntry.byteLength)
  const view = new DataView(bytes.buffer)
  SnapshotHeader.signature.set(view, 0, SIGNATURE)
  SnapshotHeader.version.set(view, 0, VERSION)
  for (const name of GEOMETRY) SnapshotHeader[name].set(view, 0, geometry[name])
  for (let zone = 0; zone < geometry.zoneCount; zone += 1) {
    const base = SnapshotHeader.byteLength + zone * SnapshotEntry.byteLength
    SnapshotEntry.written.set(view, base, table.succeededIn(zone))
    SnapshotEntry.state.set(view, base, table.states[zone]!)
  }
  SnapshotHeader.checksum.set(view, 0, crc32(bytes.subarray(CHECKED_FROM)))
  return bytes
}

/**
 * Makes the zones of a table those of a snapshot. What was open is closed: nothing of this run has opened it. Throws
 * PCIKIT_ZONE_STATE_INVALID where the snapshot is damaged or of other zones; `path` is for the message.
 */
export function restoreSnapshot (table: ZoneTable, bytes: Uint8Array, path: string): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  assertWhole(view, bytes, path)
  assertFits(view, table.geometry, path)
  for (let zone = table.geometry.conventionalCount; zone < table.geometry.zoneCount; zone += 1) {
    const base = SnapshotHeader.byteLength + zone * SnapshotEntry.byteLength
    const written = SnapshotEntry.written.get(view, base)
    const state = stateAtStart(SnapshotEntry.state.get(view, base), written, table.capacityOf(zone))
    if (state === undefined || written > table.capacityOf(zone)) {
      throw invalid(path, `zone ${zone} makes no sense in it`)
    }
    if (state === ZoneState.CLOSED && written % table.geometry.granularitySectors !== 0) {
      throw invalid(path, `the write pointer of zone ${zone} is not a multiple of the write granularity`)
    }
    table.place(zone, state, written)
  }
  const { maxActiveZones } = table.geometry
  if (maxActiveZones !== 0 && table.activeCount > maxActiveZones) {
    throw invalid(path, `${table.activeCount} zones are active in it, and maxActive is ${maxActiveZones}`)
  }
}

/** What a zone is when the device starts, from what it was; undefined for what no zone is. */
function stateAtStart (state: number, written: number, capacity: number): ZoneState | undefined {
  switch (state) {
    case ZoneState.EMPTY:
      return written === 0 ? state : undefined
    case ZoneState.IOPEN:
    case ZoneState.EOPEN:
    case ZoneState.CLOSED:
      return written === 0 ? ZoneState.EMPTY : written === capacity ? ZoneState.FULL : ZoneState.CLOSED
    case ZoneState.FULL:
    case ZoneState.RDONLY:
    case ZoneState.OFFLINE:
      return state
    default:
      return undefined
  }
}

function assertWhole (view: DataView, bytes: Uint8Array, path: string): void {
  if (bytes.length < SnapshotHeader.byteLength || SnapshotHeader.signature.get(view, 0) !== SIGNATURE) {
    throw invalid(path, 'it is not a zone state file')
  }
  const version = SnapshotHeader.version.get(view, 0)
  if (version !== VERSION) throw invalid(path, `it has version ${version}, and this program reads version ${VERSION}`)
  const length = SnapshotHeader.byteLength + SnapshotHeader.zoneCount.get(view, 0) * SnapshotEntry.byteLength
  const checksum = SnapshotHeader.checksum.get(view, 0)
  if (bytes.length !== length || crc32(bytes.subarray(CHECKED_FROM)) !== checksum) throw invalid(path, 'it is damaged')
}

function assertFits (view: DataView, geometry: ZoneGeometry, path: string): void {
  for (const name of GEOMETRY) {
    const found = SnapshotHeader[name].get(view, 0)
    if (found !== geometry[name]) {
      throw invalid(path, `its ${name} is ${found}, and that of the back end with these options ${geometry[name]}`)
    }
  }
}

function invalid (path: string, why: string): PcikitError {
  return new PcikitError(
    'PCIKIT_ZONE_STATE_INVALID',
    `The zone state file ${path} cannot be used: ${why}. Give the back end and the options that it was made with, or ` +
      'remove it to start anew.',
    { details: { path } }
  )
}
