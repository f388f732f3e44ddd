import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect } from 'vitest'
import { BlkStatus, RequestType } from '../../src/protocol.js'
import { ArrayBackend } from './array-backend.js'
import { ZoneModel } from './zone-model.js'
import type { ModelGeometry, ModelWrite } from './zone-model.js'
import { openZonedDisk, readSectors, zonesOf } from './zoned-disk.js'
import type { Disk } from './zoned-disk.js'

const GARBAGE = 0xee
const ZONE = 12

/** Zones that are few, small and scarce, so that everything is met. */
const geometry: fc.Arbitrary<ModelGeometry> = fc.record({
  sectors: fc.constantFrom(48, 60, 56),
  zone: fc.constant(ZONE),
  capacity: fc.constantFrom(8, 12),
  conventional: fc.constantFrom(0, 1, 2),
  maxOpen: fc.constantFrom(0, 1, 2),
  maxActive: fc.constantFrom(0, 2, 3),
  append: fc.constantFrom(4, 12),
  granularity: fc.constantFrom(1, 2),
  readOnlyZones: fc.constantFrom([], [2]),
  offlineZones: fc.constantFrom([], [3])
})

/** A zone by its number, perhaps one that there is not, and a distance from where a command should go. */
const place = {
  zone: fc.nat(5),
  slip: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(3) })
}

const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constantFrom('write' as const, 'append' as const),
      ...place,
      count: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(2, 4) }, {
        weight: 1,
        arbitrary: fc.integer({ min: 1, max: 13 })
      }),
      value: fc.integer({ min: 1, max: 200 })
    })
  },
  { weight: 10, arbitrary: fc.record({ do: fc.constant('end' as const), which: fc.nat(9), fails: fc.nat(9) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('open' as const, 'close' as const, 'finish' as const, 'reset' as const),
      ...place
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('resetAll' as const, 'deviceReset' as const, 'restart' as const) })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      sector: fc.nat(59),
      count: fc.integer({ min: 1, max: 14 })
    })
  }
)
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

/** Whatever a driver does, zones behave as the model has it. */
export const zonesBehaveAsTheModel = fc.asyncProperty(
  geometry,
  fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }),
  async (shape, steps) => {
    const folder = await mkdtemp(join(tmpdir(), 'pcikit-zones-'))
    const run = await ZoneRun.begin(shape, join(folder, 'zones'))
    try {
      for (const each of steps) await run.take(each)
      await run.end()
    } finally {
      await run.settled()
      await rm(folder, { recursive: true, force: true })
    }
  }
)

function openModelled (shape: ModelGeometry, state: string, backend: ArrayBackend): Promise<Disk> {
  const { zone, capacity, conventional, maxOpen, maxActive, append, granularity, readOnlyZones, offlineZones } = shape
  const sizes = { zone, capacity, append, granularity }
  return openZonedDisk({ ...sizes, conventional, maxOpen, maxActive, readOnlyZones, offlineZones, state }, backend)
}

/** The real zones and the model, side by side. */
class ZoneRun {
  #disk: Disk
  readonly #shape: ModelGeometry
  readonly #model: ZoneModel
  readonly #state: string
  #inFlight: ModelWrite[] = []
  /** What was answered later, and what the model says of it. */
  readonly #answers: Promise<BlkStatus>[] = []
  readonly #expected: (BlkStatus | undefined)[] = []

  private constructor (shape: ModelGeometry, disk: Disk, state: string) {
    this.#shape = shape
    this.#disk = disk
    this.#model = new ZoneModel(shape, GARBAGE)
    this.#state = state
  }

  static async begin (wanted: ModelGeometry, state: string): Promise<ZoneRun> {
    const shape = {
      ...wanted,
      maxOpen: wanted.maxActive > 0 ? Math.min(wanted.maxOpen, wanted.maxActive) : wanted.maxOpen,
      append: Math.min(wanted.append, wanted.capacity)
    }
    return new ZoneRun(shape, await openModelled(shape, state, new ArrayBackend(shape)), state)
  }

  async take (each: Step): Promise<void> {
    switch (each.do) {
      case 'write':
      case 'append':
        this.#begin(each.do === 'append', each.zone, each.slip, each.count, each.value)
        break
      case 'end':
        this.#finish(each.which, each.fails > 1)
        break
      case 'read':
        this.#read(each.sector, Math.min(each.count, this.#shape.sectors))
        break
      case 'restart':
        if (this.#model.isQuiet) await this.#restart()
        break
      case 'deviceReset':
        this.#disk.zones.deviceReset()
        this.#model.closeAll()
        break
      case 'resetAll':
        this.#answer(this.#disk.zones.manage(RequestType.ZONE_RESET_ALL, 0), answer => this.#model.resetAll(answer))
        break
      default:
        this.#manage(each.do, each.zone * ZONE + each.slip)
    }
    // Lets those go on that waited for the last write of a zone.
    await new Promise(resolve => setImmediate(resolve))
    this.#compare()
  }

  async end (): Promise<void> {
    while (this.#inFlight.length > 0) this.#finish(0, true)
    expect(await Promise.all(this.#answers)).toEqual(this.#expected)
    await this.#restart()
    this.#compare()
  }

  /** Nothing is written to the state file any more. */
  async settled (): Promise<void> {
    for (const { sector, count } of this.#inFlight) this.#disk.zones.endWrite(sector, count, true)
    await Promise.allSettled(this.#answers)
  }

  #begin (isAppend: boolean, number: number, slip: number, count: number, value: number): void {
    const { zones } = this.#disk
    const zone = this.#model.zones[number]
    const isSequential = zone !== undefined && zone.state !== 0 && !isAppend
    const sector = (isSequential ? zone.pointer : number * ZONE) + slip
    const status = isAppend ? zones.beginAppend(sector, count) : zones.beginWrite(sector, count)
    const write = this.#model.begin(sector, count, value, isAppend)
    if (typeof write === 'number') {
      expect(status).toBe(write)
      return
    }
    expect(status).toBe(BlkStatus.OK)
    if (isAppend) expect(zones.appendSector).toBe(write.sector)
    this.#inFlight.push(write)
  }

  /** Data moves when a write ends, and of one that fails some of it. */
  #finish (which: number, succeeded: boolean): void {
    const write = this.#inFlight[which % Math.max(this.#inFlight.length, 1)]
    if (write === undefined) return
    const { sector, count, value } = write
    this.#inFlight = this.#inFlight.filter(each => each !== write)
    this.#disk.backend.bytes.fill(value, sector * 512, (sector + (succeeded ? count : count / 2)) * 512)
    this.#disk.zones.endWrite(sector, count, succeeded)
    this.#model.end(write, succeeded)
  }

  #manage (what: 'open' | 'close' | 'finish' | 'reset', sector: number): void {
    const requests = {
      open: RequestType.ZONE_OPEN,
      close: RequestType.ZONE_CLOSE,
      finish: RequestType.ZONE_FINISH,
      reset: RequestType.ZONE_RESET
    }
    this.#answer(this.#disk.zones.manage(requests[what], sector), answer => this.#model[what](sector, answer))
  }

  #answer (outcome: BlkStatus | Promise<BlkStatus>, expect: (answer: (status: BlkStatus) => void) => void): void {
    const index = this.#answers.push(Promise.resolve(outcome)) - 1
    this.#expected.push(undefined)
    expect(status => {
      this.#expected[index] = status
    })
  }

  #read (sector: number, count: number): void {
    const isAllowed = this.#model.canRead(sector, count)
    expect(this.#disk.zones.checkRead(sector, count)).toBe(isAllowed ? BlkStatus.OK : BlkStatus.ZONE_INVALID_CMD)
    if (!isAllowed) return
    const found = readSectors(this.#disk, sector, count)
    const known = found.map((_, index) => this.#model.at(sector + index))
    expect(found.filter((_, index) => known[index] !== undefined)).toEqual(known.filter(value => value !== undefined))
  }

  async #restart (): Promise<void> {
    await Promise.all(this.#answers)
    await this.#disk.zones[Symbol.asyncDispose]()
    this.#model.closeAll()
    this.#disk = await openModelled(this.#shape, this.#state, this.#disk.backend)
  }

  #compare (): void {
    const found = zonesOf(this.#disk.zones)
    const expected = this.#model.zones.map(({ start, length, capacity, state, pointer }) => ({
      start,
      capacity,
      state,
      pointer: state === 0 || state > 4 ? start + length : pointer
    }))
    expect(found).toMatchObject(expected)
  }
}
