import { describe, expect, it } from 'vitest'
import { BlkStatus, RequestType } from '../../src/protocol.js'
import { ZoneState, ZoneType } from '../../src/zones/zone-constants.js'
import { ArrayBackend } from './array-backend.js'
import {
  openZonedArray,
  openZonedDisk,
  readReport,
  readSectors,
  statesOf,
  writeSectors,
  zonesOf
} from './zoned-disk.js'

const { OK, UNSUPP, ZONE_INVALID_CMD, ZONE_UNALIGNED_WP, ZONE_OPEN_RESOURCE, ZONE_ACTIVE_RESOURCE } = BlkStatus
const { EMPTY, IOPEN, EOPEN, CLOSED, FULL, NOT_WP, RDONLY, OFFLINE } = ZoneState
const { ZONE_OPEN, ZONE_CLOSE, ZONE_FINISH, ZONE_RESET, ZONE_RESET_ALL } = RequestType

describe('writes to zones', () => {
  it('open an empty zone, move its pointer and fill it', async () => {
    const disk = await openZonedDisk()
    writeSectors(disk, 20, 4, 1)
    expect(zonesOf(disk.zones)[2]).toMatchObject({ state: IOPEN, pointer: 24 })
    writeSectors(disk, 24, 6, 2)
    expect(zonesOf(disk.zones)[2]).toMatchObject({ state: FULL, pointer: 30 })
    expect(disk.zones.beginWrite(20, 1)).toBe(ZONE_INVALID_CMD)
  })

  it('begin at the write pointer', async () => {
    const { zones } = await openZonedDisk()
    expect(zones.beginWrite(21, 1)).toBe(ZONE_UNALIGNED_WP)
    expect(zones.beginWrite(20, 2)).toBe(OK)
    expect(zones.beginWrite(20, 1)).toBe(ZONE_UNALIGNED_WP)
    expect(zones.beginWrite(23, 1)).toBe(ZONE_UNALIGNED_WP)
  })

  it('are whole granules', async () => {
    const { zones } = await openZonedDisk({ zone: 20, granularity: 4 })
    expect(zones.beginWrite(20, 3)).toBe(ZONE_UNALIGNED_WP)
    expect(zones.beginAppend(20, 3)).toBe(ZONE_UNALIGNED_WP)
    expect(zones.beginWrite(20, 4)).toBe(OK)
  })

  it('stay in their zone, its capacity and the device', async () => {
    const { zones } = await openZonedDisk({ capacity: 8 })
    expect(zones.beginWrite(0, 9)).toBe(ZONE_INVALID_CMD)
    expect(zones.beginWrite(0, 11)).toBe(ZONE_INVALID_CMD)
    expect(zones.beginWrite(90, 11)).toBe(ZONE_INVALID_CMD)
    expect(zones.beginWrite(2 ** 64, 1)).toBe(ZONE_INVALID_CMD)
    expect(statesOf(zones)).toEqual(Array(10).fill(EMPTY))
    expect(zones.beginWrite(0, 8)).toBe(OK)
  })

  it('fill a zone that is smaller than its size, and a last zone of what is left', async () => {
    const disk = await openZonedDisk({ zone: 30, capacity: 25 })
    writeSectors(disk, 0, 25, 1)
    writeSectors(disk, 90, 10, 2)
    expect(zonesOf(disk.zones)).toMatchObject([
      { start: 0, capacity: 25, state: FULL },
      { start: 30, capacity: 25, state: EMPTY },
      { start: 60, capacity: 25, state: EMPTY },
      { start: 90, capacity: 10, state: FULL }
    ])
  })

  it('of nothing do nothing', async () => {
    const { zones } = await openZonedDisk()
    expect(zones.beginWrite(20, 0)).toBe(OK)
    zones.endWrite(20, 0, true)
    expect(statesOf(zones)[2]).toBe(EMPTY)
  })

  it('to conventional zones go anywhere, and not on into sequential ones', async () => {
    const { zones } = await openZonedDisk({ conventional: 2 })
    expect(zones.beginWrite(13, 7)).toBe(OK)
    zones.endWrite(13, 7, true)
    expect(zones.beginWrite(5, 10)).toBe(OK)
    zones.endWrite(5, 10, true)
    expect(zones.beginWrite(15, 6)).toBe(ZONE_INVALID_CMD)
    expect(zonesOf(zones)[1]).toEqual({
      start: 10,
      capacity: 10,
      pointer: 20,
      type: ZoneType.CONVENTIONAL,
      state: NOT_WP
    })
  })

  it('to zones that failed are refused', async () => {
    const { zones } = await openZonedDisk({ readOnlyZones: [1], offlineZones: [2] })
    expect(zones.beginWrite(10, 1)).toBe(ZONE_INVALID_CMD)
    expect(zones.beginAppend(20, 1)).toBe(ZONE_INVALID_CMD)
    expect(statesOf(zones).slice(0, 4)).toEqual([EMPTY, RDONLY, OFFLINE, EMPTY])
  })
})

describe('appends to zones', () => {
  it('go to the write pointer and tell where that was', async () => {
    const { zones } = await openZonedDisk()
    expect(zones.beginAppend(30, 4)).toBe(OK)
    expect(zones.appendSector).toBe(30)
    expect(zones.beginAppend(30, 2)).toBe(OK)
    expect(zones.appendSector).toBe(34)
    expect(zonesOf(zones)[3]).toMatchObject({ state: IOPEN, pointer: 36 })
  })

  it('name the start of a sequential zone and fit', async () => {
    const { zones } = await openZonedDisk({ conventional: 1, append: 5 })
    expect(zones.beginAppend(31, 1)).toBe(ZONE_INVALID_CMD)
    expect(zones.beginAppend(0, 1)).toBe(ZONE_INVALID_CMD)
    expect(zones.beginAppend(30, 6)).toBe(ZONE_INVALID_CMD)
    expect(zones.beginAppend(100, 1)).toBe(ZONE_INVALID_CMD)
    expect(zones.beginAppend(30, 5)).toBe(OK)
    expect(zones.beginAppend(30, 4)).toBe(OK)
    expect(zones.beginAppend(30, 2)).toBe(ZONE_INVALID_CMD)
  })

  it('are not known to a device without them', async () => {
    const { zones } = await openZonedDisk({ append: 0 })
    expect(zones.beginAppend(30, 1)).toBe(UNSUPP)
  })
})

describe('writes in flight', () => {
  it('stand one behind the other, whichever ends first', async () => {
    const { zones } = await openZonedDisk()
    expect([zones.beginWrite(0, 3), zones.beginWrite(3, 3), zones.beginWrite(6, 4)]).toEqual([OK, OK, OK])
    expect(statesOf(zones)[0]).toBe(IOPEN)
    zones.endWrite(6, 4, true)
    expect(statesOf(zones)[0]).toBe(FULL)
    zones.endWrite(0, 3, true)
    zones.endWrite(3, 3, false)
    expect(statesOf(zones)[0]).toBe(FULL)
  })

  it('that failed give the pointer back, down to the last that succeeded', async () => {
    const { zones } = await openZonedDisk()
    zones.beginWrite(0, 2)
    zones.beginWrite(2, 2)
    zones.beginWrite(4, 2)
    zones.endWrite(4, 2, false)
    expect(zonesOf(zones)[0]).toMatchObject({ pointer: 6 })
    zones.endWrite(0, 2, false)
    zones.endWrite(2, 2, true)
    expect(zonesOf(zones)[0]).toMatchObject({ pointer: 4, state: IOPEN })
  })

  it('that failed leave a zone empty that they opened, and an open one open', async () => {
    const { zones } = await openZonedDisk()
    await zones.manage(ZONE_OPEN, 10)
    zones.beginWrite(0, 10)
    zones.beginWrite(10, 10)
    zones.endWrite(0, 10, false)
    zones.endWrite(10, 10, false)
    expect(zonesOf(zones).slice(0, 2)).toMatchObject([{ pointer: 0, state: EMPTY }, { pointer: 10, state: EOPEN }])
  })

  it('must have begun', async () => {
    const { zones } = await openZonedDisk()
    expect(() => zones.endWrite(0, 1, true)).toThrow('not announced')
  })

  it('are waited for by a reset, and no more begin', async () => {
    const { zones } = await openZonedDisk()
    zones.beginWrite(0, 5)
    const reset = zones.manage(ZONE_RESET, 0)
    await Promise.resolve()
    expect(zones.beginWrite(5, 1)).toBe(ZONE_INVALID_CMD)
    const open = zones.manage(ZONE_OPEN, 0)
    zones.endWrite(0, 5, true)
    expect(await reset).toBe(OK)
    expect(await open).toBe(OK)
    expect(zonesOf(zones)[0]).toMatchObject({ pointer: 0, state: EOPEN })
    expect(zones.beginWrite(0, 1)).toBe(OK)
  })

  it('are waited for by a finish', async () => {
    const { zones } = await openZonedDisk()
    zones.beginWrite(0, 5)
    const finish = zones.manage(ZONE_FINISH, 0)
    await Promise.resolve()
    zones.endWrite(0, 5, true)
    expect(await finish).toBe(OK)
    expect(statesOf(zones)[0]).toBe(FULL)
  })
})

describe('limits of zones', () => {
  it('close the zone that a write opened first', async () => {
    const disk = await openZonedDisk({ maxOpen: 2 })
    writeSectors(disk, 0, 1, 1)
    writeSectors(disk, 10, 1, 1)
    writeSectors(disk, 1, 1, 1)
    writeSectors(disk, 20, 1, 1)
    expect(statesOf(disk.zones).slice(0, 3)).toEqual([CLOSED, IOPEN, IOPEN])
    expect(await disk.zones.manage(ZONE_OPEN, 30)).toBe(OK)
    expect(statesOf(disk.zones).slice(0, 4)).toEqual([CLOSED, CLOSED, IOPEN, EOPEN])
  })

  it('leave alone what the driver opened', async () => {
    const { zones } = await openZonedDisk({ maxOpen: 1 })
    expect(await zones.manage(ZONE_OPEN, 0)).toBe(OK)
    expect(zones.beginWrite(10, 1)).toBe(ZONE_OPEN_RESOURCE)
    expect(await zones.manage(ZONE_OPEN, 10)).toBe(ZONE_OPEN_RESOURCE)
    expect(await zones.manage(ZONE_CLOSE, 0)).toBe(OK)
    expect(zones.beginWrite(10, 1)).toBe(OK)
  })

  it('refuse one active zone too many, first of all', async () => {
    const disk = await openZonedDisk({ maxOpen: 1, maxActive: 2 })
    writeSectors(disk, 0, 1, 1)
    writeSectors(disk, 10, 1, 1)
    expect(statesOf(disk.zones).slice(0, 2)).toEqual([CLOSED, IOPEN])
    expect(disk.zones.beginWrite(20, 1)).toBe(ZONE_ACTIVE_RESOURCE)
    expect(await disk.zones.manage(ZONE_OPEN, 20)).toBe(ZONE_ACTIVE_RESOURCE)
    writeSectors(disk, 1, 1, 1)
    expect(statesOf(disk.zones).slice(0, 2)).toEqual([IOPEN, CLOSED])
    await disk.zones.manage(ZONE_FINISH, 10)
    writeSectors(disk, 20, 1, 1)
    expect(statesOf(disk.zones).slice(0, 3)).toEqual([CLOSED, FULL, IOPEN])
  })

  it('are free again after a zone was filled or reset', async () => {
    const disk = await openZonedDisk({ maxOpen: 1, maxActive: 1 })
    writeSectors(disk, 0, 10, 1)
    writeSectors(disk, 10, 1, 1)
    await disk.zones.manage(ZONE_RESET, 10)
    writeSectors(disk, 20, 1, 1)
    expect(statesOf(disk.zones).slice(0, 3)).toEqual([FULL, EMPTY, IOPEN])
  })
})

describe('managing zones', () => {
  it('goes by the states that there are', async () => {
    const { zones } = await openZonedDisk()
    expect(await zones.manage(ZONE_CLOSE, 0)).toBe(ZONE_INVALID_CMD)
    expect(await zones.manage(ZONE_OPEN, 0)).toBe(OK)
    expect(await zones.manage(ZONE_OPEN, 0)).toBe(OK)
    expect(await zones.manage(ZONE_CLOSE, 0)).toBe(OK)
    expect(statesOf(zones)[0]).toBe(EMPTY)
    expect(await zones.manage(ZONE_FINISH, 0)).toBe(OK)
    expect(await zones.manage(ZONE_FINISH, 0)).toBe(OK)
    expect(await zones.manage(ZONE_OPEN, 0)).toBe(ZONE_INVALID_CMD)
    expect(await zones.manage(ZONE_CLOSE, 0)).toBe(ZONE_INVALID_CMD)
    expect(statesOf(zones)[0]).toBe(FULL)
    expect(await zones.manage(ZONE_RESET, 0)).toBe(OK)
    expect(await zones.manage(ZONE_RESET, 0)).toBe(OK)
    expect(statesOf(zones)[0]).toBe(EMPTY)
  })

  it('turns what a write opened into what the driver opened, and closes it', async () => {
    const disk = await openZonedDisk({ maxOpen: 1 })
    writeSectors(disk, 0, 1, 1)
    expect(await disk.zones.manage(ZONE_OPEN, 0)).toBe(OK)
    expect(statesOf(disk.zones)[0]).toBe(EOPEN)
    expect(await disk.zones.manage(ZONE_CLOSE, 0)).toBe(OK)
    expect(await disk.zones.manage(ZONE_CLOSE, 0)).toBe(OK)
    expect(statesOf(disk.zones)[0]).toBe(CLOSED)
  })

  it('wants the start of a sequential zone that works', async () => {
    const { zones } = await openZonedDisk({ conventional: 1, readOnlyZones: [1], offlineZones: [2] })
    const outcomes = [ZONE_OPEN, ZONE_CLOSE, ZONE_FINISH, ZONE_RESET].flatMap(request =>
      [0, 10, 20, 31, 100, 2 ** 64].map(async sector => zones.manage(request, sector))
    )
    expect(await Promise.all(outcomes)).toEqual(Array(24).fill(ZONE_INVALID_CMD))
  })

  it('gives the storage of a zone back when it is reset', async () => {
    const disk = await openZonedArray({ zone: 16 }, { blockSize: 4096, sectors: 80 })
    writeSectors(disk, 16, 8, 1)
    await disk.zones.manage(ZONE_RESET, 16)
    expect(disk.backend.calls).toEqual(['discard 2 2', 'flush'])
  })

  it('zeroes where storage cannot be given back', async () => {
    const disk = await openZonedArray({}, { supportsDiscard: false })
    writeSectors(disk, 10, 1, 1)
    await disk.zones.manage(ZONE_RESET, 10)
    expect(disk.backend.calls).toEqual(['zero 10 10', 'flush'])
  })

  it('resets all that is not empty, neighbours together', async () => {
    const disk = await openZonedDisk({ conventional: 1, readOnlyZones: [4] })
    writeSectors(disk, 10, 1, 1)
    writeSectors(disk, 20, 10, 1)
    writeSectors(disk, 30, 1, 1)
    await disk.zones.manage(ZONE_OPEN, 90)
    expect(await disk.zones.manage(ZONE_RESET_ALL, 0)).toBe(OK)
    expect(disk.backend.calls).toEqual(['discard 10 30', 'discard 90 10', 'flush'])
    expect(statesOf(disk.zones)).toEqual([NOT_WP, EMPTY, EMPTY, EMPTY, RDONLY, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY])
  })

  it('leaves a zone as it is when the back end fails', async () => {
    const disk = await openZonedDisk()
    writeSectors(disk, 10, 1, 1)
    disk.backend.failure = new Error('no')
    await expect(disk.zones.manage(ZONE_RESET, 10)).rejects.toThrow('no')
    expect(zonesOf(disk.zones)[1]).toMatchObject({ state: IOPEN, pointer: 11 })
    writeSectors(disk, 11, 1, 1)
    expect(await disk.zones.manage(ZONE_RESET, 10)).toBe(OK)
  })

  it('is refused where the back end only reads', async () => {
    const { zones } = await openZonedArray({}, { readOnly: true })
    expect(await zones.manage(ZONE_RESET_ALL, 0)).toBe(BlkStatus.IOERR)
    expect(await zones.erase(0, 10)).toBe(BlkStatus.IOERR)
  })

  it('closes what is open when the device is reset', async () => {
    const disk = await openZonedDisk({ maxOpen: 2 })
    writeSectors(disk, 0, 1, 1)
    await disk.zones.manage(ZONE_OPEN, 10)
    disk.zones.deviceReset()
    expect(statesOf(disk.zones).slice(0, 2)).toEqual([CLOSED, EMPTY])
  })
})

describe('erasing zones', () => {
  it('resets whole zones, empty ones as well', async () => {
    const disk = await openZonedDisk({ zone: 30 })
    writeSectors(disk, 30, 1, 1)
    expect(await disk.zones.erase(30, 70)).toBe(OK)
    expect(disk.backend.calls).toEqual(['discard 30 70', 'flush'])
    expect(statesOf(disk.zones)[1]).toBe(EMPTY)
  })

  it('refuses parts of zones, and zones that cannot be reset', async () => {
    const disk = await openZonedDisk({ conventional: 1, readOnlyZones: [4] })
    expect(await disk.zones.erase(10, 5)).toBe(ZONE_INVALID_CMD)
    expect(await disk.zones.erase(11, 9)).toBe(ZONE_INVALID_CMD)
    expect(await disk.zones.erase(0, 20)).toBe(ZONE_INVALID_CMD)
    expect(await disk.zones.erase(30, 20)).toBe(ZONE_INVALID_CMD)
    expect(await disk.zones.erase(90, 20)).toBe(ZONE_INVALID_CMD)
    expect(disk.backend.calls).toEqual([])
  })
})

describe('reads of zones', () => {
  it('see what was written, and zeroes behind it', async () => {
    const disk = await openZonedDisk({ conventional: 1 })
    writeSectors(disk, 10, 3, 7)
    expect(readSectors(disk, 10, 5)).toEqual([7, 7, 7, 0, 0])
    expect(readSectors(disk, 15, 2)).toEqual([0, 0])
    expect(readSectors(disk, 9, 1)).toEqual([0xee])
  })

  it('see zeroes in what a finish left unwritten', async () => {
    const disk = await openZonedDisk()
    writeSectors(disk, 10, 3, 7)
    await disk.zones.manage(ZONE_FINISH, 10)
    expect(readSectors(disk, 12, 2)).toEqual([7, 0])
  })

  it('see zeroes where a write failed', async () => {
    const disk = await openZonedDisk()
    disk.zones.beginWrite(10, 2)
    disk.zones.endWrite(10, 2, false)
    expect(readSectors(disk, 10, 2)).toEqual([0, 0])
  })

  it('zero the pieces of guest memory that lie behind the write pointer', async () => {
    const disk = await openZonedDisk()
    writeSectors(disk, 10, 2, 7)
    const pieces = [new Uint8Array(600).fill(1), new Uint8Array(1000).fill(1), new Uint8Array(500).fill(1)]
    const gone = structuredClone(new Uint8Array(0))
    const lengths = [500, 1000, 36, 512]
    const list = [pieces[0], pieces[1], gone, pieces[2]]
    disk.zones.hideUnwritten(10, {
      byteLength: 2048,
      segmentCount: 4,
      bytesAt: index => list[index] ?? gone,
      offsetAt: index => index === 0 ? 100 : 0,
      lengthAt: index => lengths[index] ?? 0
    })
    expect(pieces.map(piece => piece.indexOf(0))).toEqual([-1, 524, 0])
  })

  it('stay in a sequential zone and the device', async () => {
    const { zones } = await openZonedDisk({ conventional: 2 })
    expect(zones.checkRead(20, 10)).toBe(OK)
    expect(zones.checkRead(5, 10)).toBe(OK)
    expect(zones.checkRead(15, 10)).toBe(ZONE_INVALID_CMD)
    expect(zones.checkRead(25, 10)).toBe(ZONE_INVALID_CMD)
    expect(zones.checkRead(95, 6)).toBe(ZONE_INVALID_CMD)
  })

  it('are possible from a read-only zone, and not from one that is offline', async () => {
    const { zones } = await openZonedDisk({ readOnlyZones: [1], offlineZones: [2] })
    expect(zones.checkRead(10, 1)).toBe(OK)
    expect(zones.checkRead(20, 1)).toBe(ZONE_INVALID_CMD)
  })

  it('see everything where zones were full from the start', async () => {
    const disk = await openZonedDisk({ initially: 'full' })
    expect(readSectors(disk, 10, 2)).toEqual([0xee, 0xee])
    expect(statesOf(disk.zones)).toEqual(Array(10).fill(FULL))
  })
})

describe('host-aware zones', () => {
  it('can be written anywhere, across their borders, and again', async () => {
    const disk = await openZonedDisk({ model: 'host-aware', conventional: 1 })
    writeSectors(disk, 5, 20, 3)
    expect(zonesOf(disk.zones).slice(0, 3)).toMatchObject([
      { state: NOT_WP, type: ZoneType.CONVENTIONAL },
      { state: FULL, type: ZoneType.WRITE_PREFERRED },
      { state: IOPEN, pointer: 25 }
    ])
    writeSectors(disk, 12, 2, 4)
    writeSectors(disk, 28, 1, 5)
    writeSectors(disk, 21, 1, 6)
    expect(zonesOf(disk.zones).slice(1, 3)).toMatchObject([{ state: FULL }, { state: IOPEN, pointer: 29 }])
    expect(readSectors(disk, 20, 10)).toEqual([3, 6, 3, 3, 3, 0xee, 0xee, 0xee, 5, 0])
    expect(disk.zones.checkRead(5, 20)).toBe(OK)
  })

  it('take back the pointer of a write that failed', async () => {
    const { zones } = await openZonedDisk({ model: 'host-aware' })
    expect(zones.beginWrite(15, 10)).toBe(OK)
    zones.endWrite(15, 10, false)
    expect(zonesOf(zones).slice(1, 3)).toMatchObject([{ state: EMPTY, pointer: 10 }, { state: EMPTY, pointer: 20 }])
  })

  it('take no appends, and no writes where a zone has failed', async () => {
    const { zones } = await openZonedDisk({ model: 'host-aware', readOnlyZones: [2] })
    expect(zones.beginAppend(0, 1)).toBe(UNSUPP)
    expect(zones.beginWrite(15, 10)).toBe(ZONE_INVALID_CMD)
    expect(statesOf(zones)[1]).toBe(EMPTY)
  })
})

describe('a zone report', () => {
  it('starts with the zone of a sector and has as many as fit', async () => {
    const { zones } = await openZonedDisk()
    const report = zones.report(34, 64 + 2 * 64 + 63)
    expect(report).toHaveLength(192)
    expect(readReport(report).map(zone => zone.start)).toEqual([30, 40])
    expect(readReport(zones.report(85, 1000)).map(zone => zone.start)).toEqual([80, 90])
  })

  it('is refused without room for its header, and past the end', async () => {
    const { zones } = await openZonedDisk()
    expect(zones.report(0, 63)).toBeUndefined()
    expect(zones.report(100, 1000)).toBeUndefined()
    expect(zones.report(2 ** 64, 1000)).toBeUndefined()
    expect(readReport(zones.report(0, 64))).toEqual([])
  })

  it('is bounded, and can be asked for in parts', async () => {
    const { zones } = await openZonedDisk({ zone: 1 }, new ArrayBackend({ sectors: 2000 }))
    expect(readReport(zones.report(0, 2 ** 32))).toHaveLength(1023)
    expect(readReport(zones.report(1023, 2 ** 32))).toHaveLength(977)
  })
})

describe('what the driver reads about zones', () => {
  it('is what was asked for', async () => {
    const { zones } = await openZonedDisk({ maxOpen: 3, maxActive: 4, zone: 20, granularity: 2 })
    expect(zones.characteristics).toEqual({
      zoneSectors: 20,
      maxOpenZones: 3,
      maxActiveZones: 4,
      maxAppendSectors: 20,
      writeGranularity: 1024,
      model: 1
    })
    expect(zones.zoneCount).toBe(5)
    expect(zones.capacitySectors).toBe(100)
  })
})
