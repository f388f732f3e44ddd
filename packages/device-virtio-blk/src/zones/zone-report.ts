import { ZonedModel, ZoneState, ZoneType } from './zone-constants.js'
import { ZoneDescriptorLayout, ZoneReportLayout } from './zone-layouts.js'
import type { ZoneTable } from './zone-table.js'

/** Zones in one report at most: a driver that wants more asks again, from where the report ends. */
const REPORT_ZONES_MAX = 1023

/** A report of the zones from `first` on, in at most `byteLength` bytes, which must be enough for its header. */
export function reportZones (table: ZoneTable, first: number, byteLength: number): Uint8Array {
  const room = Math.floor((byteLength - ZoneReportLayout.byteLength) / ZoneDescriptorLayout.byteLength)
  const count = Math.min(room, table.geometry.zoneCount - first, REPORT_ZONES_MAX)
  const bytes = new Uint8Array(ZoneReportLayout.byteLength + count * ZoneDescriptorLayout.byteLength)
  const view = new DataView(bytes.buffer)
  ZoneReportLayout.nrZones.set(view, 0, count)
  for (let index = 0; index < count; index += 1) {
    describeZone(table, first + index, view, ZoneReportLayout.byteLength + index * ZoneDescriptorLayout.byteLength)
  }
  return bytes
}

function describeZone (table: ZoneTable, zone: number, view: DataView, base: number): void {
  const start = zone * table.geometry.zoneSectors
  const state = table.states[zone]!
  // [virtio] "Block Device", "Device Operation": z_wp is undefined in these. Drivers expect the end of the zone.
  const hasPointer = state !== ZoneState.NOT_WP && state < ZoneState.RDONLY
  ZoneDescriptorLayout.zCap.set(view, base, table.capacityOf(zone))
  ZoneDescriptorLayout.zStart.set(view, base, start)
  ZoneDescriptorLayout.zWp.set(view, base, start + (hasPointer ? table.written[zone]! : table.lengthOf(zone)))
  ZoneDescriptorLayout.zType.set(view, base, typeOf(table, zone))
  ZoneDescriptorLayout.zState.set(view, base, state)
}

function typeOf (table: ZoneTable, zone: number): ZoneType {
  if (zone < table.geometry.conventionalCount) return ZoneType.CONVENTIONAL
  return table.geometry.model === ZonedModel.HOST_AWARE ? ZoneType.WRITE_PREFERRED : ZoneType.WRITE_REQUIRED
}
