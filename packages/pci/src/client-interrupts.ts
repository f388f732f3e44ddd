import { IrqIndex } from '@pcikit/core'
import type { InterruptLines, IrqInfo, IrqTrigger, Recorder } from '@pcikit/core'
import type { FunctionInterrupts } from './function-interrupts.js'
import type { VectorSet } from './vector-set.js'

/** The interrupts of a function, as a client sets them up. */
export class ClientInterrupts implements InterruptLines {
  readonly #interrupts: FunctionInterrupts
  readonly #recorder: Recorder
  /** Who is told of the Error and the Request line. Nothing here raises them yet but the client's own tests. */
  readonly #lines = new Map<IrqIndex, IrqTrigger>()

  constructor (interrupts: FunctionInterrupts, recorder: Recorder) {
    this.#interrupts = interrupts
    this.#recorder = recorder
  }

  info (index: IrqIndex): IrqInfo {
    const { pin } = this.#interrupts
    switch (index) {
      case IrqIndex.INTX:
        return { index, count: pin === undefined ? 0 : 1, maskable: true, automasked: true, noresize: false }
      case IrqIndex.MSI:
      case IrqIndex.MSIX: {
        // A vector can join at any time: saying so spares QEMU from taking all of them away for each one added.
        const count = this.#vectorsOf(index)?.count ?? 0
        return { index, count, maskable: true, automasked: false, noresize: false }
      }
      case IrqIndex.ERR:
      case IrqIndex.REQ:
        return { index, count: 1, maskable: false, automasked: false, noresize: true }
    }
  }

  assign (index: IrqIndex, start: number, triggers: readonly (IrqTrigger | undefined)[]): void {
    this.#recorder.record({ type: 'interrupts', index, start, count: triggers.length })
    const vectors = this.#vectorsOf(index)
    if (vectors !== undefined) vectors.assign(start, triggers)
    else if (index === IrqIndex.INTX) this.#interrupts.pin?.assign(triggers[0])
    else this.#assignLine(index, triggers[0])
    this.#interrupts.update()
  }

  mask (index: IrqIndex, start: number, count: number): void {
    if (index === IrqIndex.INTX && count > 0) this.#interrupts.pin?.mask()
    else this.#vectorsOf(index)?.setClientMask(start, count, true)
  }

  unmask (index: IrqIndex, start: number, count: number): void {
    if (index === IrqIndex.INTX && count > 0) this.#interrupts.pin?.unmask()
    else this.#vectorsOf(index)?.setClientMask(start, count, false)
  }

  trigger (index: IrqIndex, start: number, count: number): void {
    const vectors = this.#vectorsOf(index)
    for (let vector = start; vector < start + count; vector++) {
      if (vectors !== undefined) vectors.loopBack(vector)
      else if (index === IrqIndex.INTX) this.#interrupts.pin?.loopBack()
      else this.#lines.get(index)?.signal()
    }
  }

  release (): void {
    this.#interrupts.msix?.release()
    this.#interrupts.msi?.release()
    this.#interrupts.pin?.assign(undefined)
    for (const trigger of this.#lines.values()) trigger.close()
    this.#lines.clear()
    this.#interrupts.update()
  }

  #vectorsOf (index: IrqIndex): VectorSet | undefined {
    return index === IrqIndex.MSIX ? this.#interrupts.msix : index === IrqIndex.MSI ? this.#interrupts.msi : undefined
  }

  #assignLine (index: IrqIndex, trigger: IrqTrigger | undefined): void {
    const previous = this.#lines.get(index)
    if (previous !== trigger) previous?.close()
    if (trigger === undefined) this.#lines.delete(index)
    else this.#lines.set(index, trigger)
  }
}
