import { closeDescriptor, Mapping } from '@pcikit/native'
import type { RegionAccess } from '../vfio-user/vfio-user-client.js'
import type { Region } from '../vfio-user/region.js'
import { DOORBELL_BASE } from './layouts.js'

const BAR0 = 0

/** How a driver tells the device that a queue moved. Offsets are in the BAR that has the doorbells. */
export interface Doorbells {
  /** Writes a doorbell. */
  ring(offset: number, value: number): Promise<void> | void
  /** Lets go of what is behind it. */
  close(): void
}

/** Where the doorbell of a queue is. [NVMe-PCIe] "Submission Queue y Tail Doorbell" and its sibling. */
export function doorbellOffset (kind: 'sq' | 'cq', queueId: number, stride: number): number {
  return DOORBELL_BASE + (2 * queueId + (kind === 'cq' ? 1 : 0)) * (4 << stride)
}

/** Doorbells that are writes to a region: each is a message. */
export class TrapDoorbells implements Doorbells {
  readonly #access: RegionAccess
  readonly #posted: boolean

  /** `posted` writes want no reply. */
  constructor (access: RegionAccess, posted: boolean) {
    this.#access = access
    this.#posted = posted
  }

  ring (offset: number, value: number): Promise<void> {
    const data = new Uint8Array(4)
    new DataView(data.buffer).setUint32(0, value, true)
    return this.#access.writeRegion(BAR0, offset, data, { posted: this.#posted })
  }

  close (): void {}
}

/** Doorbells in memory that the controller shares and polls. */
export class MappedDoorbells implements Doorbells {
  readonly #mapping: Mapping
  readonly #words: Uint32Array
  readonly #start: number
  readonly #end: number

  private constructor (mapping: Mapping, start: number, end: number) {
    this.#mapping = mapping
    this.#words = new Uint32Array(mapping.window(0, mapping.byteLength))
    this.#start = start
    this.#end = end
  }

  /** Maps the part of a BAR that has the doorbells, and closes the descriptors of the region. */
  static map (region: Region, start: number = DOORBELL_BASE): MappedDoorbells {
    const area = region.areas?.find(({ offset, byteLength }) => offset <= start && offset + byteLength > start)
    const [descriptor] = region.descriptors
    if (area === undefined || descriptor === undefined) throw new Error('The BAR has no doorbells that can be mapped.')
    const access = { read: true, write: true }
    const mapping = Mapping.map(descriptor, region.fileOffset + area.offset, area.byteLength, access)
    for (const each of region.descriptors) closeDescriptor(each)
    return new MappedDoorbells(mapping, area.offset, area.offset + area.byteLength)
  }

  ring (offset: number, value: number): void {
    if (offset < this.#start || offset >= this.#end) throw new RangeError(`No doorbell is mapped at ${offset}.`)
    Atomics.store(this.#words, (offset - this.#start) >>> 2, value)
  }

  /** What is in the shared memory now: the controller may have zeroed it. */
  read (offset: number): number {
    return Atomics.load(this.#words, (offset - this.#start) >>> 2)
  }

  close (): void {
    this.#mapping.unmap()
  }
}
