import type { BlockBackend } from '@pcikit/block'
import { PcikitError } from '@pcikit/core'
import { BackedZones } from './backed-zones.js'
import type { ZonedOptions } from './options.js'
import { ZoneState } from './zone-constants.js'
import { fitZones } from './zone-geometry.js'
import { restoreSnapshot } from './zone-snapshot.js'
import { ZoneStateFile } from './zone-state-file.js'
import { ZoneTable } from './zone-table.js'
import type { Zones } from './zones.js'

/**
 * The zones of a back end, as they start or as their state file has them. `transferSectorsMax` is what one request of
 * the device can carry. Throws PCIKIT_OPTION_INVALID where the options do not fit the back end, and
 * PCIKIT_ZONE_STATE_INVALID where the state file does not.
 */
export async function openZones (
  options: ZonedOptions,
  backend: BlockBackend,
  transferSectorsMax: number
): Promise<Zones> {
  const table = new ZoneTable(fitZones(options, backend, transferSectorsMax))
  const file = options.state === undefined ? undefined : new ZoneStateFile(options.state)
  if (file !== undefined && !backend.readOnly) await file.assertReplaceable()
  const snapshot = await file?.load()
  if (file !== undefined && snapshot !== undefined) restoreSnapshot(table, snapshot, file.path)
  else if (options.initially === 'full') fill(table)
  for (const zone of options.readOnlyZones) fail(table, zone, ZoneState.RDONLY)
  for (const zone of options.offlineZones) fail(table, zone, ZoneState.OFFLINE)
  return new BackedZones(table, backend, backend.readOnly ? undefined : file)
}

function fill (table: ZoneTable): void {
  const { conventionalCount, zoneCount } = table.geometry
  for (let zone = conventionalCount; zone < zoneCount; zone += 1) {
    table.place(zone, ZoneState.FULL, table.capacityOf(zone))
  }
}

function fail (table: ZoneTable, zone: number, state: ZoneState): void {
  const { conventionalCount, zoneCount } = table.geometry
  if (zone < conventionalCount || zone >= zoneCount) {
    throw new PcikitError(
      'PCIKIT_OPTION_INVALID',
      `Zone ${zone} cannot be made to fail: sequential zones are ${conventionalCount} to ${
        zoneCount - 1
      }. Change the ` +
        'option "zoned".'
    )
  }
  table.place(zone, state, table.written[zone]!)
}
