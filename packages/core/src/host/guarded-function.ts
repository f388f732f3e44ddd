import { isProtocolError } from '../errors.js'
import type { InterruptLines } from '../interrupts.js'
import type { PciFunction, RegionIndex, RegionInfo } from '../pci-function.js'

/** Told of the error that broke a function. It is the listener's part that the function reaches no memory any more. */
export type BreakListener = (error: unknown, during: string) => void

/**
 * A function whose mistakes stay with it. One that throws is off the bus as hardware would be: until a reset of it
 * succeeds its registers read as ones and ignore what is written ([PCIe] "Unsupported Request", "Completion Timeout").
 * A client that was answered with an error instead might not survive it.
 */
export class GuardedFunction implements PciFunction {
  readonly interrupts: InterruptLines
  readonly #function: PciFunction
  readonly #onBreak: BreakListener
  #isBroken = false

  constructor (pci: PciFunction, onBreak: BreakListener) {
    this.#function = pci
    this.#onBreak = onBreak
    this.interrupts = pci.interrupts
  }

  region (index: RegionIndex): RegionInfo {
    return this.#function.region(index)
  }

  readRegion (
    index: RegionIndex,
    offset: number,
    target: DataView,
    position: number,
    count: number
  ): void | Promise<void> {
    if (this.#isBroken) return readOnes(target, position, count)
    try {
      const done = this.#function.readRegion(index, offset, target, position, count)
      if (done !== undefined) return this.#finishRead(done, index, offset, target, position, count)
    } catch (error) {
      this.#break(error, describe('read', index, offset, count))
      readOnes(target, position, count)
    }
  }

  writeRegion (
    index: RegionIndex,
    offset: number,
    source: DataView,
    position: number,
    count: number
  ): void | Promise<void> {
    if (this.#isBroken) return
    try {
      const done = this.#function.writeRegion(index, offset, source, position, count)
      if (done !== undefined) return this.#finishWrite(done, index, offset, count)
    } catch (error) {
      this.#break(error, describe('write', index, offset, count))
    }
  }

  /** Takes the function off the bus for an error that it threw in a turn of its own. */
  break (error: unknown, during: string): void {
    this.#isBroken = true
    this.#onBreak(error, during)
  }

  /** Brings the function back: it was reset, or another one is in its place. */
  mend (): void {
    this.#isBroken = false
  }

  reset (): void | Promise<void> {
    const mend = (): void => this.mend()
    try {
      const done = this.#function.reset()
      return done === undefined ? mend() : done.then(mend, (error: unknown) => this.#break(error, 'a reset'))
    } catch (error) {
      this.#break(error, 'a reset')
    }
  }

  async #finishRead (
    done: Promise<void>,
    index: RegionIndex,
    offset: number,
    target: DataView,
    position: number,
    count: number
  ): Promise<void> {
    try {
      await done
    } catch (error) {
      this.#break(error, describe('read', index, offset, count))
      readOnes(target, position, count)
    }
  }

  async #finishWrite (done: Promise<void>, index: RegionIndex, offset: number, count: number): Promise<void> {
    try {
      await done
    } catch (error) {
      this.#break(error, describe('write', index, offset, count))
    }
  }

  #break (error: unknown, during: string): void {
    if (isProtocolError(error)) throw error
    this.break(error, during)
  }
}

function describe (access: string, index: RegionIndex, offset: number, count: number): string {
  return `a ${access} of ${count} bytes at 0x${offset.toString(16)} of region ${index}`
}

/** What is read where nobody answers. */
export function readOnes (target: DataView, position: number, count: number): void {
  for (let done = 0; done < count; done++) target.setUint8(position + done, 0xff)
}
