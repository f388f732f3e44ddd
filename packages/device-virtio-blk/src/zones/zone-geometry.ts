import type { BlockBackend } from '@pcikit/block'
import { PcikitError } from '@pcikit/core'
import { SECTOR_BYTES } from '../protocol.js'
import type { ZonedOptions } from './options.js'
import { ZonedModel } from './zone-constants.js'

/** How a device is cut into zones, and what is asked of writes to them. In sectors. */
export interface ZoneGeometry {
  readonly model: ZonedModel
  readonly capacitySectors: number
  /** Size of each zone; the last one is what is left. */
  readonly zoneSectors: number
  /** What of a zone can be written, from its start on. */
  readonly zoneCapacitySectors: number
  readonly zoneCount: number
  /** Zones at the start that have no write pointer. */
  readonly conventionalCount: number
  /** 0 for no limit. */
  readonly maxOpenZones: number
  /** 0 for no limit. */
  readonly maxActiveZones: number
  /** 0: no appends. */
  readonly maxAppendSectors: number
  readonly granularitySectors: number
}

/**
 * Fits options to a back end. `transferSectorsMax` is what one request of the device can carry. Throws
 * PCIKIT_OPTION_INVALID where they do not fit.
 */
export function fitZones (options: ZonedOptions, backend: BlockBackend, transferSectorsMax: number): ZoneGeometry {
  const capacity = backend.blockCount * backend.blockSize
  const granularity = options.writeGranularity ?? backend.blockSize
  const zoneCapacity = options.zoneCapacity ?? options.zoneSize
  assertWhole('writeGranularity', granularity, 'the blocks of the back end', backend.blockSize)
  assertWhole('zoneSize', options.zoneSize, 'the write granularity', granularity)
  assertWhole('zoneCapacity', zoneCapacity, 'the write granularity', granularity)
  assertWhole('the size of the back end', capacity, 'the write granularity', granularity)
  const zoneCount = Math.ceil(capacity / options.zoneSize)
  if (zoneCount > ZONES_MAX) throw misfit(`zoneSize makes ${zoneCount} zones, and there are ${ZONES_MAX} at most`)
  const { conventional } = options
  if (conventional >= zoneCount) {
    throw misfit(`conventional is ${conventional}, and of its ${zoneCount} zones one must be sequential`)
  }
  const appendBytes = Math.min(options.maxAppend, zoneCapacity, transferSectorsMax * SECTOR_BYTES)
  const isHostAware = options.model === 'host-aware'
  return {
    model: isHostAware ? ZonedModel.HOST_AWARE : ZonedModel.HOST_MANAGED,
    capacitySectors: capacity / SECTOR_BYTES,
    zoneSectors: options.zoneSize / SECTOR_BYTES,
    zoneCapacitySectors: zoneCapacity / SECTOR_BYTES,
    zoneCount,
    conventionalCount: conventional,
    maxOpenZones: options.maxOpen,
    maxActiveZones: options.maxActive,
    // [virtio] "Block Device", "Device Operation": appends are for zones that require sequential writes.
    maxAppendSectors: isHostAware ? 0 : Math.floor(appendBytes / granularity) * granularity / SECTOR_BYTES,
    granularitySectors: granularity / SECTOR_BYTES
  }
}

/** Some megabytes of memory for a table of zones, and a state file of as much. */
const ZONES_MAX = 1 << 20

function assertWhole (name: string, bytes: number, ofWhat: string, unit: number): void {
  if (bytes % unit === 0) return
  throw misfit(`${name} is ${bytes} bytes, which is not a multiple of ${ofWhat}, ${unit} bytes`)
}

function misfit (why: string): PcikitError {
  return new PcikitError(
    'PCIKIT_OPTION_INVALID',
    `The zones do not fit the back end: ${why}. Change the option "zoned".`
  )
}
