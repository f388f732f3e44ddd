import type { RegionIndex } from '@pcikit/core'
import type { DescribedPciFunction } from '@pcikit/pci'
import { WindowRegister } from './pci-capabilities.js'

const DATA_BYTES = 4

/**
 * The window into the BARs that configuration space has, for firmware that cannot reach the BARs themselves: SeaBIOS,
 * where they are above 4 GiB. [virtio] "PCI configuration access capability".
 */
export class ConfigWindow {
  readonly #pci: DescribedPciFunction
  /** The BARs that hold virtio structures. The window shows no others. */
  readonly #bars: ReadonlySet<number>
  readonly #data = new DataView(new ArrayBuffer(DATA_BYTES))

  constructor (pci: DescribedPciFunction, bars: ReadonlySet<number>) {
    this.#pci = pci
    this.#bars = bars
    pci.config.onRead(WindowRegister.DATA, value => this.#read(value))
    pci.config.onWrite(WindowRegister.DATA, value => this.#write(value))
  }

  /** What lies beyond the access keeps its value: only `length` bytes are stored. */
  #read (value: number): number {
    const length = this.#length()
    if (length === 0) return value
    this.#data.setUint32(0, value, true)
    void this.#pci.readRegion(this.#bar(), this.#pci.config.get(WindowRegister.OFFSET), this.#data, 0, length)
    return this.#data.getUint32(0, true)
  }

  #write (value: number): void {
    const length = this.#length()
    if (length === 0) return
    this.#data.setUint32(0, value, true)
    const done = this.#pci.writeRegion(
      this.#bar(),
      this.#pci.config.get(WindowRegister.OFFSET),
      this.#data,
      0,
      length
    )
    if (done !== undefined) this.#pci.settleAfter(done)
  }

  #bar (): RegionIndex {
    return this.#pci.config.get(WindowRegister.BAR) as RegionIndex
  }

  /** Bytes of the access; 0 for one that a driver must not make, which does nothing. */
  #length (): number {
    const { config } = this.#pci
    const bar = config.get(WindowRegister.BAR)
    const offset = config.get(WindowRegister.OFFSET)
    const length = config.get(WindowRegister.LENGTH)
    const isAccess = (length === 1 || length === 2 || length === 4) && offset % length === 0
    if (!isAccess || !this.#bars.has(bar)) return 0
    return offset + length <= this.#pci.region(bar as RegionIndex).byteLength ? length : 0
  }
}
