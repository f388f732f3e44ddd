import { IRQ_INDEX_COUNT, IrqIndex } from '../interrupts.js'
import type { InterruptLines, IrqInfo, IrqTrigger } from '../interrupts.js'

/** What a client set up of one kind of interrupt. */
class KindSetup {
  readonly triggers: (IrqTrigger | undefined)[] = []
  readonly masked = new Set<number>()
}

/** The time for which a function has the triggers. */
interface Loan {
  isOver: boolean
  /** Signals are dropped: what is set up was told to the client before. */
  isMuted: boolean
}

/**
 * The interrupts of a function that can be exchanged. What the client set up is kept here, and lent to the function
 * that is there: the triggers that it gets cannot be closed by it, and do nothing once the next one has them.
 */
export class LentInterrupts implements InterruptLines {
  readonly #kinds = Array.from({ length: IRQ_INDEX_COUNT }, () => new KindSetup())
  #infos: readonly IrqInfo[] = []
  #lines: InterruptLines | undefined = undefined
  #loan: Loan = { isOver: true, isMuted: false }

  info (index: IrqIndex): IrqInfo {
    return this.#lines?.info(index) ?? this.#infos[index]!
  }

  assign (index: IrqIndex, start: number, triggers: readonly (IrqTrigger | undefined)[]): void {
    const kind = this.#kinds[index]!
    for (const [position, trigger] of triggers.entries()) {
      const previous = kind.triggers[start + position]
      if (previous !== trigger) previous?.close()
      kind.triggers[start + position] = trigger
    }
    // A new trigger of the pin starts unmasked.
    if (index === IrqIndex.INTX) kind.masked.clear()
    this.#lines?.assign(index, start, triggers.map(trigger => this.#lend(index, trigger)))
  }

  mask (index: IrqIndex, start: number, count: number): void {
    for (let vector = start; vector < start + count; vector++) this.#kinds[index]!.masked.add(vector)
    this.#lines?.mask(index, start, count)
  }

  unmask (index: IrqIndex, start: number, count: number): void {
    for (let vector = start; vector < start + count; vector++) this.#kinds[index]!.masked.delete(vector)
    this.#lines?.unmask(index, start, count)
  }

  trigger (index: IrqIndex, start: number, count: number): void {
    this.#lines?.trigger(index, start, count)
  }

  release (): void {
    this.#lines?.release()
    for (const kind of this.#kinds) {
      for (const trigger of kind.triggers) trigger?.close()
      kind.triggers.length = 0
      kind.masked.clear()
    }
  }

  /** Gives a function everything that the client set up. What is pending in it is signalled. */
  lendTo (lines: InterruptLines): void {
    this.takeBack()
    this.#loan = { isOver: false, isMuted: false }
    this.#lines = lines
    this.#infos = readInfos(lines)
    for (const [index, { triggers, masked }] of this.#kinds.entries() as Iterable<[IrqIndex, KindSetup]>) {
      const remask = (): void => masked.forEach(vector => lines.mask(index, vector, 1))
      // Masks come first, so that they hold back what is pending. The pin lifts its own with a new trigger, and would
      // tell the client of a level that the client knows.
      remask()
      this.#loan.isMuted = index === IrqIndex.INTX && masked.size > 0
      if (triggers.length > 0) lines.assign(index, 0, triggers.map(trigger => this.#lend(index, trigger)))
      if (this.#loan.isMuted) remask()
      this.#loan.isMuted = false
    }
  }

  /** From here on the function that had the triggers reaches the client no more. */
  takeBack (): void {
    this.#loan.isOver = true
    this.#lines = undefined
  }

  #lend (index: IrqIndex, trigger: IrqTrigger | undefined): IrqTrigger | undefined {
    if (trigger === undefined) return undefined
    const loan = this.#loan
    const { masked } = this.#kinds[index]!
    return {
      signal: () => {
        if (loan.isOver || loan.isMuted) return
        // The pin masks itself when it signals.
        if (index === IrqIndex.INTX) masked.add(0)
        trigger.signal()
      },
      close: () => undefined
    }
  }
}

function readInfos (lines: InterruptLines): readonly IrqInfo[] {
  return Array.from({ length: IRQ_INDEX_COUNT }, (_, index) => lines.info(index as IrqIndex))
}
