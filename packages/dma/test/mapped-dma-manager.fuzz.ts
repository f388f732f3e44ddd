import { DmaAccess, DmaFault, silentLogger, silentRecorder } from '@pcikit/core'
import type { DmaLease, DmaWindow } from '@pcikit/core'
import { duplicateDescriptor } from '@pcikit/native'
import { GuestFile } from '@pcikit/testkit'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { SlowClient } from '../../testkit/src/compliance/dma-manager/slow-client.js'
import { MappedDmaManager } from '../src/mapped-dma-manager.js'
import { mappedDmaOptions } from '../src/options.js'
import { PAGE } from './memory-file.js'

const PAGES = 16

const page = fc.nat({ max: PAGES - 1 })
const offset = fc.nat({ max: PAGES * PAGE - 1 })
const operation = fc.oneof(
  fc.record({
    kind: fc.constant('map' as const),
    page,
    count: fc.integer({ min: 1, max: 4 }),
    filePage: page,
    isShared: fc.boolean(),
    isWritable: fc.boolean()
  }),
  fc.record({ kind: fc.constant('unmap' as const), page, count: fc.integer({ min: 1, max: PAGES }) }),
  fc.record({ kind: fc.constant('busMaster' as const), enabled: fc.boolean() }),
  fc.record({
    kind: fc.constantFrom('write', 'lease', 'window', 'read'),
    offset,
    length: fc.integer({ min: 1, max: 9000 })
  })
)
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

/** Where a page of the guest is: in the shared file, in the client, or nowhere. */
interface Place {
  readonly bytes: Uint8Array
  readonly at: number
  readonly isShared: boolean
  readonly isWritable: boolean
  /** Tells regions apart. */
  readonly region: number
}

/** What the manager should do, page by page. */
class Model {
  readonly file = new Uint8Array(PAGES * PAGE)
  readonly client = new Uint8Array(PAGES * PAGE)
  readonly places: (Place | undefined)[] = Array.from({ length: PAGES }, () => undefined)
  isBusMaster = true
  #regions = 0

  map (first: number, count: number, filePage: number, isShared: boolean, isWritable: boolean): boolean {
    const range = pagesOf(first, count)
    if (first + count > PAGES || range.some(at => this.places[at] !== undefined)) return false
    this.#regions += 1
    for (const at of range) {
      const from = isShared ? filePage + at - first : at
      this.places[at] = {
        bytes: isShared ? this.file : this.client,
        at: from * PAGE,
        isShared,
        isWritable,
        region: this.#regions
      }
    }
    return true
  }

  unmap (first: number, count: number): number | undefined {
    const range = pagesOf(first, count)
    const inside = new Set(range.flatMap(at => this.places[at]?.region ?? []))
    const isCut = this.places.some((place, at) =>
      place !== undefined && inside.has(place.region) && !range.includes(at)
    )
    if (isCut) return undefined
    for (const at of range) this.places[at] = undefined
    return inside.size
  }

  fault (start: number, length: number, isWrite: boolean): DmaFault {
    if (!this.isBusMaster) return DmaFault.BUS_MASTER_OFF
    for (let at = Math.floor(start / PAGE); at * PAGE < start + length; at += 1) {
      const place = this.places[at]
      if (place === undefined) return DmaFault.UNMAPPED
      if (isWrite && !place.isWritable) return DmaFault.NOT_WRITABLE
      if (place.isShared && place.at >= PAGES * PAGE) return DmaFault.PAST_END_OF_FILE
    }
    return DmaFault.NONE
  }

  write (start: number, source: Uint8Array): void {
    source.forEach((value, index) => {
      const place = this.places[Math.floor((start + index) / PAGE)]!
      place.bytes[place.at + (start + index) % PAGE] = value
    })
  }

  read (start: number, length: number): Uint8Array {
    return Uint8Array.from({ length }, (_, index) => {
      const place = this.places[Math.floor((start + index) / PAGE)]!
      return place.bytes[place.at + (start + index) % PAGE]!
    })
  }
}

/** The manager under test, and everything it reaches. */
class Subject {
  readonly file = GuestFile.create(PAGES * PAGE)
  readonly client = new SlowClient(1500)
  readonly dma: MappedDmaManager
  readonly lease: DmaLease
  readonly window: DmaWindow

  constructor () {
    this.dma = new MappedDmaManager(mappedDmaOptions.parse({ mappingsMax: 2 }), silentRecorder, silentLogger)
    this.dma.setBusMaster(true)
    this.dma.setPort(this.client)
    this.lease = this.dma.createLease()
    this.window = this.dma.openWindow(0, PAGES * PAGE, DmaAccess.READ)
  }

  async close (): Promise<void> {
    await this.dma.close()
    this.file.close()
  }
}

async function apply (operation: Operation, model: Model, subject: Subject, fill: number): Promise<void> {
  const { dma } = subject
  switch (operation.kind) {
    case 'map': {
      const { page: first, count, filePage, isShared, isWritable } = operation
      const wanted = model.map(first, count, filePage, isShared, isWritable)
      if (first + count > PAGES) return
      const access = isWritable ? DmaAccess.READ_WRITE : DmaAccess.READ
      const range = { iova: first * PAGE, byteLength: count * PAGE, access, fileOffset: filePage * PAGE }
      const request = isShared ? { ...range, descriptor: duplicateDescriptor(subject.file.descriptor) } : range
      expect(succeeds(() => dma.map(request))).toBe(wanted)
      return
    }
    case 'unmap': {
      const count = Math.min(operation.count, PAGES - operation.page)
      const wanted = model.unmap(operation.page, count)
      expect(await dma.unmap(operation.page * PAGE, count * PAGE).catch(() => undefined)).toBe(wanted)
      return
    }
    case 'busMaster':
      model.isBusMaster = operation.enabled
      dma.setBusMaster(operation.enabled)
      return
    default:
      await transfer(operation.kind, operation.offset, operation.length, model, subject, fill)
  }
}

async function transfer (
  kind: string,
  start: number,
  length: number,
  model: Model,
  { dma, lease, window }: Subject,
  fill: number
): Promise<void> {
  const isWrite = kind === 'write' || kind === 'lease'
  const size = kind === 'window' ? Math.min(length, 64, PAGES * PAGE - start) : length
  const fault = model.fault(start, size, isWrite)
  const source = new Uint8Array(size).fill(fill)
  if (kind === 'write') {
    expect(await dma.write(start, source)).toBe(fault)
  } else if (kind === 'read') {
    const target = new Uint8Array(size)
    expect(await dma.read(start, target)).toBe(fault)
    if (fault === DmaFault.NONE) expect(Buffer.compare(target, model.read(start, size))).toBe(0)
  } else if (kind === 'window') {
    const isFound = window.locate(start, size)
    if (!isFound) expect(window.fault).toBe(fault)
    else {expect([...window.bytes.subarray(window.position, window.position + size)]).toEqual([
        ...model.read(start, size)
      ])}
  } else {
    lease.open(DmaAccess.WRITE)
    expect(lease.append(start, size)).toBe(fault)
    for (let index = 0; index < lease.segmentCount; index += 1) {
      const from = lease.offsetAt(index)
      lease.bytesAt(index).fill(fill, from, from + lease.lengthAt(index))
    }
    expect(await lease.commit()).toBe(fault)
    lease.close()
  }
  if (isWrite && fault === DmaFault.NONE) model.write(start, source)
}

it('MappedDmaManager does to memory what a table of pages says, whatever came and went', async () => {
  const property = fc.asyncProperty(fc.array(operation, { maxLength: 100, size: 'max' }), async operations => {
    const model = new Model()
    const subject = new Subject()
    try {
      for (const [index, each] of operations.entries()) await apply(each, model, subject, 1 + index % 255)
      expect(Buffer.compare(subject.file.bytes, model.file)).toBe(0)
      expect(Buffer.compare(subject.client.memory.subarray(0, PAGES * PAGE), model.client)).toBe(0)
    } finally {
      await subject.close()
    }
  })
  const seed = process.env['SEED'] === undefined ? Date.now() : Number(process.env['SEED'])
  const interruptAfterTimeLimit = Number(process.env['FUZZ_MS'] ?? 10_000)
  await fc.assert(property, { seed, interruptAfterTimeLimit, numRuns: 100_000 })
})

function pagesOf (first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index)
}

function succeeds (call: () => void): boolean {
  try {
    call()
    return true
  } catch {
    return false
  }
}
