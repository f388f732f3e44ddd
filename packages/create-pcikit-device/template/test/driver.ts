import type { RegionAccess } from '@pcikit/testkit'

const BAR0 = 0

/** Offsets of the registers, written down a second time: a wrong one in the device cannot agree with itself. */
const offsets = {
  id: 0x00,
  control: 0x04,
  status: 0x08,
  key: 0x0c,
  buffer: 0x10,
  bufferHigh: 0x14,
  length: 0x18,
  lengthMax: 0x1c
} as const

/** A buffer in guest memory, and what every byte of it is combined with. */
export interface Work {
  readonly iova: number
  readonly length: number
  readonly key: number
}

/** The guest's side of the device: what a kernel module for it would do. */
export class Driver {
  static readonly BUSY = 1
  static readonly DONE = 2
  static readonly FAILED = 4
  readonly #access: RegionAccess

  constructor (access: RegionAccess) {
    this.#access = access
  }

  async read (register: keyof typeof offsets): Promise<number> {
    const bytes = await this.#access.readRegion(BAR0, offsets[register], 4)
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
  }

  async write (register: keyof typeof offsets, value: number): Promise<void> {
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setUint32(0, value, true)
    await this.#access.writeRegion(BAR0, offsets[register], bytes)
  }

  /** Hands a buffer to the device. It raises an interrupt when it is done with it. */
  async start ({ iova, length, key }: Work): Promise<void> {
    await this.write('buffer', iova % 2 ** 32)
    await this.write('bufferHigh', Math.floor(iova / 2 ** 32))
    await this.write('length', length)
    await this.write('key', key)
    await this.write('control', 1)
  }

  /** What an interrupt handler does: reads why, and clears it. */
  async acknowledge (): Promise<number> {
    const status = await this.read('status')
    await this.write('status', status)
    return status
  }
}
