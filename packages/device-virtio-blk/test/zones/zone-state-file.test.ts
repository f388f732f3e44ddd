import { mkdir, mkdtemp, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isPcikitError } from '@pcikit/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BlkStatus, RequestType } from '../../src/protocol.js'
import { ZoneState } from '../../src/zones/zone-constants.js'
import { ZoneStateFile } from '../../src/zones/zone-state-file.js'
import { ArrayBackend } from './array-backend.js'
import { openZonedDisk, readSectors, statesOf, writeSectors, zonesOf } from './zoned-disk.js'
import type { Disk, ZonesInSectors } from './zoned-disk.js'

const { EMPTY, IOPEN, CLOSED, FULL, RDONLY, OFFLINE } = ZoneState
const { ZONE_OPEN, ZONE_FINISH, ZONE_RESET } = RequestType

let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pcikit-zones-'))
  path = join(folder, 'disk.zones')
})

afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

function open (options: ZonesInSectors = {}, backend?: ArrayBackend): Promise<Disk> {
  return openZonedDisk({ state: path, ...options }, backend)
}

async function refusal (opening: Promise<unknown>): Promise<string> {
  try {
    await opening
  } catch (error) {
    if (isPcikitError(error, 'PCIKIT_ZONE_STATE_INVALID')) return error.message
    throw error
  }
  return ''
}

describe('a zone state file', () => {
  it('brings zones back after a close, with what was open closed', async () => {
    const disk = await open()
    writeSectors(disk, 0, 10, 1)
    writeSectors(disk, 10, 3, 2)
    await disk.zones.manage(ZONE_OPEN, 20)
    writeSectors(disk, 30, 4, 3)
    await disk.zones.manage(ZONE_FINISH, 30)
    await disk.zones[Symbol.asyncDispose]()
    const again = await open({}, disk.backend)
    expect(zonesOf(again.zones).slice(0, 4)).toMatchObject([
      { state: FULL },
      { state: CLOSED, pointer: 13 },
      { state: EMPTY },
      { state: FULL }
    ])
    expect(readSectors(again, 32, 4)).toEqual([3, 3, 0, 0])
  })

  it('has what was flushed when the process died, and nothing later', async () => {
    const disk = await open()
    writeSectors(disk, 10, 3, 2)
    await disk.zones.flush()
    writeSectors(disk, 13, 3, 4)
    const again = await open({}, disk.backend)
    expect(zonesOf(again.zones)[1]).toMatchObject({ state: CLOSED, pointer: 13 })
    expect(readSectors(again, 12, 2)).toEqual([2, 0])
  })

  it('knows of a reset and of a finish when they are answered', async () => {
    const disk = await open()
    writeSectors(disk, 10, 3, 2)
    await disk.zones.flush()
    expect(await disk.zones.manage(ZONE_RESET, 10)).toBe(BlkStatus.OK)
    expect(await disk.zones.manage(ZONE_FINISH, 20)).toBe(BlkStatus.OK)
    expect(statesOf((await open({}, disk.backend)).zones).slice(1, 3)).toEqual([EMPTY, FULL])
  })

  it('leaves out a write that was in flight, or that ended after the back end began to flush', async () => {
    const disk = await open()
    let release: () => void = () => undefined
    disk.backend.gate = new Promise(resolve => {
      release = resolve
    })
    writeSectors(disk, 10, 3, 2)
    disk.zones.beginWrite(20, 5)
    const flushed = disk.zones.flush()
    writeSectors(disk, 13, 1, 2)
    release()
    await flushed
    const again = await open({}, disk.backend)
    expect(zonesOf(again.zones).slice(1, 3)).toMatchObject([{ pointer: 13 }, { pointer: 20, state: EMPTY }])
  })

  it('is written before a second flush is answered that found nothing new', async () => {
    const disk = await open()
    let release: () => void = () => undefined
    disk.backend.gate = new Promise(resolve => {
      release = resolve
    })
    writeSectors(disk, 10, 3, 2)
    const first = disk.zones.flush()
    disk.backend.gate = undefined
    await disk.zones.flush()
    expect(zonesOf((await open({}, disk.backend)).zones)[1]).toMatchObject({ pointer: 13 })
    release()
    await first
  })

  it('is always whole, and nothing else stays in its folder', async () => {
    const disk = await open()
    writeSectors(disk, 10, 3, 2)
    await Promise.all([disk.zones.flush(), disk.zones.flush(), disk.zones[Symbol.asyncDispose]()])
    expect(await readdir(folder)).toEqual(['disk.zones'])
  })

  it('keeps what failed, as the options had it', async () => {
    const disk = await open({ readOnlyZones: [1], offlineZones: [2] })
    await disk.zones[Symbol.asyncDispose]()
    expect(statesOf((await open()).zones).slice(0, 3)).toEqual([EMPTY, RDONLY, OFFLINE])
  })

  it('counts zones that it brings back', async () => {
    const disk = await open({ maxOpen: 1, maxActive: 2 })
    writeSectors(disk, 10, 3, 2)
    writeSectors(disk, 20, 3, 2)
    await disk.zones[Symbol.asyncDispose]()
    const again = await open({ maxOpen: 1, maxActive: 2 })
    expect(again.zones.beginWrite(30, 1)).toBe(BlkStatus.ZONE_ACTIVE_RESOURCE)
    writeSectors(again, 13, 1, 1)
    expect(statesOf(again.zones).slice(1, 3)).toEqual([IOPEN, CLOSED])
  })

  it('is not made where the back end only reads', async () => {
    const disk = await open({}, new ArrayBackend({ readOnly: true }))
    await disk.zones.flush()
    await disk.zones[Symbol.asyncDispose]()
    expect(await readdir(folder)).toEqual([])
  })
})

describe('a zone state file that cannot be used', () => {
  async function keep (options: ZonesInSectors = {}): Promise<void> {
    const disk = await open(options)
    writeSectors(disk, 20, 4, 1)
    writeSectors(disk, 40, 4, 1)
    await disk.zones[Symbol.asyncDispose]()
  }

  it('is of other zones', async () => {
    await keep()
    expect(await refusal(open({ zone: 20 }))).toMatch(/its zoneSectors is 10, and .* 20/)
    expect(await refusal(open({ capacity: 9 }))).toMatch(/its zoneCapacitySectors is 10/)
    expect(await refusal(open({ conventional: 1 }))).toMatch(/its conventionalCount is 0/)
    expect(await refusal(open({ model: 'host-aware' }))).toMatch(/its model is 1/)
    expect(await refusal(open({}, new ArrayBackend({ sectors: 90 })))).toMatch(/its capacitySectors is 100/)
  })

  it('has more than the limits allow', async () => {
    await keep()
    expect(await refusal(open({ maxActive: 1 }))).toMatch(/2 zones are active in it, and maxActive is 1/)
  })

  it('has a write pointer where no write can begin', async () => {
    const disk = await open({ zone: 20, granularity: 1 })
    writeSectors(disk, 20, 3, 1)
    await disk.zones[Symbol.asyncDispose]()
    expect(await refusal(open({ zone: 20, granularity: 2 }))).toMatch(/write pointer of zone 1/)
  })

  it('is damaged, cut short, of another version or something else', async () => {
    await keep()
    const good = await readFile(path)
    const change = async (at: number, value: number): Promise<string> => {
      await writeFile(path, good.with(at, value))
      return refusal(open())
    }
    expect(await change(70, 99)).toMatch(/it is damaged/)
    expect(await change(good.length - 1, 1)).toMatch(/it is damaged/)
    expect(await change(8, 2)).toMatch(/version 2/)
    expect(await change(0, 0)).toMatch(/not a zone state file/)
    await writeFile(path, good.subarray(0, good.length - 8))
    expect(await refusal(open())).toMatch(/it is damaged/)
    await writeFile(path, '')
    expect(await refusal(open())).toMatch(/not a zone state file/)
    await writeFile(path, good)
    expect(await refusal(open())).toBe('')
  })

  it('is a folder, or in none', async () => {
    expect(await refusal(open({ state: folder }))).toMatch(/cannot be read/)
    expect(await refusal(open({ state: join(folder, 'nowhere', 'file') }))).toMatch(/folder is missing/)
  })

  it('fails the flush that cannot write it, and the next one writes what that missed', async () => {
    const disk = await open()
    writeSectors(disk, 10, 3, 2)
    await mkdir(`${path}.new`)
    await expect(disk.zones.flush()).rejects.toMatchObject({ code: 'PCIKIT_BLOCK_UNAVAILABLE' })
    await rmdir(`${path}.new`)
    await disk.zones.flush()
    expect(zonesOf((await open({}, disk.backend)).zones)[1]).toMatchObject({ pointer: 13 })
  })
})

describe('ZoneStateFile', () => {
  it('never replaces a newer snapshot by an older one', async () => {
    const file = new ZoneStateFile(path)
    await file.save(Uint8Array.of(2), 2)
    await file.save(Uint8Array.of(1), 1)
    expect(await file.load()).toEqual(Buffer.of(2))
  })

  it('writes the newest of those that wait', async () => {
    const file = new ZoneStateFile(path)
    const saves = [1, 2, 3].map(number => file.save(Uint8Array.of(number), number))
    await saves[1]
    expect(await file.load()).toEqual(Buffer.of(3))
    await Promise.all(saves)
  })

  it('holds nothing before it was saved', async () => {
    expect(await new ZoneStateFile(path).load()).toBeUndefined()
  })
})
