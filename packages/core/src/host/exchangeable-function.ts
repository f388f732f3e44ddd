import { assert } from '../errors.js'
import { REGION_COUNT } from '../pci-function.js'
import type { PciFunction, RegionIndex, RegionInfo } from '../pci-function.js'
import { endsWithin } from '../ends-within.js'
import { readOnes } from './guarded-function.js'
import { LentInterrupts } from './lent-interrupts.js'

/**
 * A function in whose place another one can be put while a client uses it. In between accesses are held back: the
 * client notices nothing but the time. Without a function in its place registers read as ones, and writes vanish.
 */
export class ExchangeableFunction implements PciFunction {
  readonly interrupts = new LentInterrupts()
  #function: PciFunction | undefined = undefined
  #regions: readonly RegionInfo[] = []
  /** The end of the time in which accesses are held back. */
  #held: Promise<void> | undefined = undefined
  #letGo: () => void = () => undefined
  /** Accesses that take their time. */
  readonly #underWay = new Set<Promise<void>>()

  region (index: RegionIndex): RegionInfo {
    return this.#function?.region(index) ?? this.#regions[index]!
  }

  readRegion (
    index: RegionIndex,
    offset: number,
    target: DataView,
    position: number,
    count: number
  ): void | Promise<void> {
    const held = this.#held
    if (held !== undefined) return held.then(() => this.readRegion(index, offset, target, position, count))
    if (this.#function === undefined) return readOnes(target, position, count)
    return this.#follow(this.#function.readRegion(index, offset, target, position, count))
  }

  writeRegion (
    index: RegionIndex,
    offset: number,
    source: DataView,
    position: number,
    count: number
  ): void | Promise<void> {
    const held = this.#held
    if (held !== undefined) {
      // The caller takes its buffer back when the call returns.
      const start = source.byteOffset + position
      const copy = new DataView(source.buffer.slice(start, start + count))
      return held.then(() => this.writeRegion(index, offset, copy, 0, count))
    }
    return this.#follow(this.#function?.writeRegion(index, offset, source, position, count))
  }

  reset (): void | Promise<void> {
    const held = this.#held
    if (held !== undefined) return held.then(() => this.reset())
    return this.#follow(this.#function?.reset())
  }

  /** Holds accesses back from now on. Resolves when those before are over, or when they take longer than they may. */
  async hold (timeoutMs: number): Promise<void> {
    assert(this.#held === undefined, 'accesses are held back for one exchange at a time')
    this.#held = new Promise(resolve => {
      this.#letGo = resolve
    })
    await endsWithin(Promise.allSettled(this.#underWay), timeoutMs)
  }

  /** Lets through what was held back. */
  letGo (): void {
    this.#held = undefined
    this.#letGo()
  }

  /** Puts a function in place, with everything that the client set up. */
  put (pci: PciFunction): void {
    this.#function = pci
    this.#regions = Array.from({ length: REGION_COUNT }, (_, index) => pci.region(index as RegionIndex))
    this.interrupts.lendTo(pci.interrupts)
  }

  /** Takes the function out of its place. Nobody notices how the accesses end that it has not answered. */
  take (): void {
    this.interrupts.takeBack()
    this.#function = undefined
  }

  #follow (access: void | Promise<void>): void | Promise<void> {
    if (access === undefined) return
    const pci = this.#function
    const followed = access.catch((error: unknown) => {
      if (this.#function === pci) throw error
    })
    this.#underWay.add(followed)
    const forget = (): void => void this.#underWay.delete(followed)
    followed.then(forget, forget)
    return followed
  }
}
