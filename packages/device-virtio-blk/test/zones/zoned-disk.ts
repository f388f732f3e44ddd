import { openZones } from '../../src/zones/open-zones.js'
import { zonedOptionsSchema } from '../../src/zones/options.js'
import { ZoneDescriptorLayout, ZoneReportLayout } from '../../src/zones/zone-layouts.js'
import type { Zones } from '../../src/zones/zones.js'
import { ArrayBackend } from './array-backend.js'
import type { ArrayBackendOptions } from './array-backend.js'

/** Options of zones as a user gives them, with sizes in sectors. */
export interface ZonesInSectors {
  readonly zone?: number
  readonly capacity?: number
  readonly append?: number
  readonly granularity?: number
  readonly [option: string]: unknown
}

/** Ten zones of ten sectors over garbage, unless asked otherwise. */
export async function openZonedDisk (
  options: ZonesInSectors = {},
  backend: ArrayBackend = new ArrayBackend()
): Promise<{ zones: Zones, backend: ArrayBackend }> {
  return { zones: await openZones(zonedOptions(options), backend, 64), backend }
}

export function openZonedArray (options: ZonesInSectors, array: ArrayBackendOptions) {
  return openZonedDisk(options, new ArrayBackend(array))
}

/** What the schema makes of options in sectors. */
export function zonedOptions ({ zone, capacity, append, granularity, ...rest }: ZonesInSectors) {
  return zonedOptionsSchema.parse({
    zoneSize: (zone ?? 10) * 512,
    ...(capacity === undefined ? {} : { zoneCapacity: capacity * 512 }),
    ...(append === undefined ? {} : { maxAppend: append * 512 }),
    ...(granularity === undefined ? {} : { writeGranularity: granularity * 512 }),
    ...rest
  })
}

/** A zone as a report has it. */
export interface ReportedZone {
  readonly start: number
  readonly capacity: number
  readonly pointer: number
  readonly type: number
  readonly state: number
}

/** Reads a whole report. */
export function readReport (bytes: Uint8Array | undefined): ReportedZone[] {
  if (bytes === undefined) throw new Error('There is no report.')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: ZoneReportLayout.nrZones.get(view, 0) }, (_, index) => {
    const base = ZoneReportLayout.byteLength + index * ZoneDescriptorLayout.byteLength
    return {
      start: ZoneDescriptorLayout.zStart.get(view, base),
      capacity: ZoneDescriptorLayout.zCap.get(view, base),
      pointer: ZoneDescriptorLayout.zWp.get(view, base),
      type: ZoneDescriptorLayout.zType.get(view, base),
      state: ZoneDescriptorLayout.zState.get(view, base)
    }
  })
}

/** All zones of a disk. */
export function zonesOf (zones: Zones): ReportedZone[] {
  return readReport(zones.report(0, 1 << 20))
}

export function statesOf (zones: Zones): number[] {
  return zonesOf(zones).map(zone => zone.state)
}

/** Writes sectors that are all `value`, as a device does. Throws where the zones refuse. */
export function writeSectors ({ zones, backend }: Disk, sector: number, count: number, value: number): void {
  const status = zones.beginWrite(sector, count)
  if (status !== 0) throw new Error(`The write was refused with status ${status}.`)
  backend.bytes.fill(value, sector * 512, (sector + count) * 512)
  zones.endWrite(sector, count, true)
}

/** Reads sectors as a device does, and tells the first byte of each. */
export function readSectors ({ zones, backend }: Disk, sector: number, count: number): number[] {
  const target = new Uint8Array(count * 512)
  backend.read(sector * 512 / backend.blockSize, target)
  zones.hideUnwritten(sector, target)
  return Array.from({ length: count }, (_, index) => target[index * 512] ?? -1)
}

/** Zones and what is under them. */
export interface Disk {
  readonly zones: Zones
  readonly backend: ArrayBackend
}
