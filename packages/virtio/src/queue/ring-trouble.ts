import { assert, DmaFault } from '@pcikit/core'
import { RingOutcome } from './ring.js'

/** What may be behind messages. */
export interface Askable {
  /** NONE: it has to be asked. */
  readonly fault: DmaFault
  ask(): Promise<DmaFault>
}

/** What kept the last look at a ring from succeeding. */
export class RingTrouble {
  fault: DmaFault = DmaFault.NONE
  reason = ''
  #asked: Askable | undefined = undefined

  /** An access did not take place. */
  missed (where: Askable): RingOutcome {
    this.fault = where.fault
    if (this.fault !== DmaFault.NONE) return RingOutcome.FAULT
    this.#asked = where
    return RingOutcome.ASK
  }

  /** The driver broke a rule. */
  broken (reason: string): RingOutcome {
    this.reason = reason
    return RingOutcome.BROKEN
  }

  ask (): Promise<DmaFault> {
    const asked = this.#asked
    assert(asked !== undefined, 'a client is only asked for what was missed')
    this.#asked = undefined
    return asked.ask()
  }
}
