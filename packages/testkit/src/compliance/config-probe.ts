import { RegionIndex } from '@pcikit/core'
import type { IrqTrigger, PciFunction } from '@pcikit/core'
import { CapabilityId, ConfigRegister, MsixLocation } from '../pci/config-layout.js'

const ALL_ONES = 0xffff_ffff
const WORD = 0x1_0000_0000
const FIRST_CAPABILITY = 0x40
const CONVENTIONAL_BYTES = 256
/** How far tests look at a region word by word: registers are at its start, and BARs may be larger than memory. */
const WORDS_BYTES_MAX = 0x1_0000

/** What sizing a BAR found. */
export interface SizedBar {
  readonly index: RegionIndex
  readonly byteLength: number
}

/** A trigger that counts. */
export class CountingTrigger implements IrqTrigger {
  signals = 0
  closes = 0

  signal (): void {
    this.signals++
  }

  close (): void {
    this.closes++
  }
}

/** Reaches the regions of a function directly, as a driver would through its client. */
export class ConfigProbe {
  readonly #function: PciFunction

  constructor (pci: PciFunction) {
    this.#function = pci
  }

  async read (offset: number, size: 1 | 2 | 4, region: RegionIndex = RegionIndex.CONFIG): Promise<number> {
    const view = new DataView(new ArrayBuffer(4))
    await this.#function.readRegion(region, offset, view, 0, size)
    return view.getUint32(0, true)
  }

  async write (
    offset: number,
    size: 1 | 2 | 4,
    value: number,
    region: RegionIndex = RegionIndex.CONFIG
  ): Promise<void> {
    const view = new DataView(new ArrayBuffer(4))
    view.setUint32(0, value, true)
    await this.#function.writeRegion(region, offset, view, 0, size)
  }

  /** The whole configuration space, read at once. */
  async snapshot (): Promise<Uint8Array> {
    const bytes = new Uint8Array(this.#function.region(RegionIndex.CONFIG).byteLength)
    await this.#function.readRegion(RegionIndex.CONFIG, 0, new DataView(bytes.buffer), 0, bytes.length)
    return bytes
  }

  /** What a region reads as, in words from its start, as far as a test looks. */
  async words (region: RegionIndex): Promise<number[]> {
    const words: number[] = []
    for (let offset = 0; offset < this.#wordsEnd(region); offset += 4) words.push(await this.read(offset, 4, region))
    return words
  }

  /** Writes a value to every word of a region, as far as a test looks. */
  async fill (region: RegionIndex, value: number): Promise<void> {
    for (let offset = 0; offset < this.#wordsEnd(region); offset += 4) await this.write(offset, 4, value, region)
  }

  /** The whole configuration space, read byte by byte. */
  async bytes (): Promise<Uint8Array> {
    const bytes = new Uint8Array(this.#function.region(RegionIndex.CONFIG).byteLength)
    for (let offset = 0; offset < bytes.length; offset++) bytes[offset] = await this.read(offset, 1)
    return bytes
  }

  /** Writes ones to every word of the configuration space, from the last to the first. */
  async writeOnesEverywhere (): Promise<void> {
    for (let offset = this.#function.region(RegionIndex.CONFIG).byteLength - 4; offset >= 0; offset -= 4) {
      await this.write(offset, 4, ALL_ONES)
    }
  }

  /** Sizes all BARs the way firmware does. [PCIe] "Base Address Registers (Offset 10h - 24h)". */
  async sizeBars (): Promise<SizedBar[]> {
    const bars: SizedBar[] = []
    for (let index = 0; index < 6; index++) {
      const offset = ConfigRegister.BAR0 + index * 4
      const low = await this.#sizeWord(offset)
      if (low === 0) continue
      const isPort = (low & 1) === 1
      const address = (low & (isPort ? ~0x3 : ~0xf)) >>> 0
      const is64Bit = !isPort && (low & 6) === 4
      const high = is64Bit ? await this.#sizeWord(offset + 4) : ALL_ONES
      const byteLength = address === 0 ? (WORD - high) * WORD : WORD - address
      bars.push({ index: index as RegionIndex, byteLength })
      if (is64Bit) index++
    }
    return bars
  }

  /** The BARs as the regions have them. */
  barRegions (): SizedBar[] {
    return [0, 1, 2, 3, 4, 5]
      .map(index => this.#function.region(index as RegionIndex))
      .filter(({ byteLength }) => byteLength > 0)
      .map(({ index, byteLength }) => ({ index, byteLength }))
  }

  /** Follows the list of capabilities to its end, or to the first offset that is wrong or seen before. */
  async capabilities (): Promise<{ offsets: Map<number, number>, end: number }> {
    const offsets = new Map<number, number>()
    const seen = new Set<number>()
    let at = await this.read(ConfigRegister.CAPABILITIES_POINTER, 1)
    while (at >= FIRST_CAPABILITY && at % 4 === 0 && !seen.has(at)) {
      seen.add(at)
      const header = await this.read(at, 2)
      offsets.set(header & 0xff, at)
      at = header >>> 8
    }
    return { offsets, end: at }
  }

  /** Where a capability is, or undefined. */
  async find (id: number): Promise<number | undefined> {
    return (await this.capabilities()).offsets.get(id)
  }

  /** Follows the list of extended capabilities; the offset it ends with is 0 unless it is broken. */
  async extendedEnd (): Promise<number> {
    const seen = new Set<number>()
    let at: number = CONVENTIONAL_BYTES
    while (at >= CONVENTIONAL_BYTES && at % 4 === 0 && !seen.has(at)) {
      seen.add(at)
      at = (await this.read(at, 4)) >>> 20
    }
    return at
  }

  /** Where the MSI-X table and the pending bits are. Only for functions that have them. */
  async msixPlaces (): Promise<{ table: Place, pendingBits: Place }> {
    const capability = await this.find(CapabilityId.MSIX) ?? 0
    return { table: await this.#place(capability + 4), pendingBits: await this.#place(capability + 8) }
  }

  async #place (offset: number): Promise<Place> {
    const word = await this.read(offset, 4)
    return { region: MsixLocation.BIR.get(word) as RegionIndex, offset: (word & MsixLocation.OFFSET.mask) >>> 0 }
  }

  #wordsEnd (region: RegionIndex): number {
    const { byteLength } = this.#function.region(region)
    return Math.min(byteLength - byteLength % 4, WORDS_BYTES_MAX)
  }

  async #sizeWord (offset: number): Promise<number> {
    const before = await this.read(offset, 4)
    await this.write(offset, 4, ALL_ONES)
    const sized = await this.read(offset, 4)
    await this.write(offset, 4, before)
    return sized
  }
}

/** A place in a region. */
export interface Place {
  readonly region: RegionIndex
  readonly offset: number
}
