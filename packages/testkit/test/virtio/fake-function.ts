import type { RegionAccess } from '../../src/vfio-user/vfio-user-client.js'

const CONFIG_REGION = 7

/** Where the structures of the fake are: type, BAR, offset, length. */
export const PLACES = { common: 0x40, notify: 0x100, isr: 0x200, device: 0x300 } as const

/** Offered features of the fake, by word. */
export type OfferedWords = readonly [number, number]

/** As much of a virtio function as a driver's tests need: memory, and a few registers that do something. */
export class FakeFunction implements RegionAccess {
  /** Every write to a BAR, as `bar+offset=value/width`. */
  readonly writes: string[] = []
  readonly bar = new DataView(new ArrayBuffer(0x400))
  readonly #config = new DataView(new ArrayBuffer(256))
  readonly #offered: OfferedWords
  /** Called before each read of a BAR. */
  onRead: (offset: number) => void = () => undefined
  refusesFeatures = false

  constructor (offered: OfferedWords) {
    this.#offered = offered
    this.#config.setUint8(0x34, 0x50)
    this.#addCapability(0x50, 0x60, 1, PLACES.common, 64)
    this.#addCapability(0x60, 0x74, 2, PLACES.notify, 64)
    this.#config.setUint32(0x70, 4, true)
    this.#addCapability(0x74, 0x84, 3, PLACES.isr, 4)
    this.#addCapability(0x84, 0x94, 4, PLACES.device, 96)
    this.#addCapability(0x94, 0xa8, 5, 0, 0)
    this.#addCapability(0xa8, 0, 8, 0x1000, 0x2000)
    this.#config.setUint32(0xb8, 1, true)
    this.#config.setUint32(0xbc, 2, true)
    this.bar.setUint16(PLACES.common + 18, 2, true)
    this.bar.setUint16(PLACES.common + 24, 64, true)
  }

  readRegion (region: number, offset: number, count: number): Promise<Uint8Array> {
    if (region === CONFIG_REGION) return Promise.resolve(this.#readConfig(offset, count))
    this.onRead(offset)
    const select = this.bar.getUint32(PLACES.common, true)
    this.bar.setUint32(PLACES.common + 4, this.#offered[select] ?? 0, true)
    return Promise.resolve(new Uint8Array(this.bar.buffer.slice(offset, offset + count)))
  }

  writeRegion (region: number, offset: number, data: Uint8Array): Promise<void> {
    const target = region === CONFIG_REGION ? this.#config : this.bar
    data.forEach((byte, at) => target.setUint8(offset + at, byte))
    if (region === CONFIG_REGION) return Promise.resolve()
    const value = data.reduceRight((sum, byte) => sum * 256 + byte, 0)
    this.writes.push(`${offset.toString(16)}=${value.toString(16)}/${data.length}`)
    if (offset === PLACES.common + 20 && this.refusesFeatures) this.bar.setUint8(offset, value & ~8)
    return Promise.resolve()
  }

  setIrqs (): Promise<void> {
    return Promise.resolve()
  }

  /** pci_cfg_data shows what it leads to. */
  #readConfig (offset: number, count: number): Uint8Array {
    if (offset === 0xa4) {
      const at = this.#config.getUint32(0x9c, true)
      return new Uint8Array(this.bar.buffer.slice(at, at + count))
    }
    return new Uint8Array(this.#config.buffer.slice(offset, offset + count))
  }

  #addCapability (at: number, next: number, type: number, offset: number, length: number): void {
    this.#config.setUint8(at, 9)
    this.#config.setUint8(at + 1, next)
    this.#config.setUint8(at + 2, 16)
    this.#config.setUint8(at + 3, type)
    this.#config.setUint32(at + 8, offset, true)
    this.#config.setUint32(at + 12, length, true)
  }
}
