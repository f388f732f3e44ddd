import { DmaFault } from '@pcikit/core'
import type { DmaAccess, Logger, Recorder } from '@pcikit/core'

/** A guest can make a million faults in a second. All are counted, so many of them recorded. */
const RECORDS_PER_SECOND_MAX = 100
const LOG_INTERVAL_MS = 10_000

const MEANING: Readonly<Record<DmaFault, string>> = {
  [DmaFault.NONE]: 'nothing is wrong',
  [DmaFault.UNMAPPED]: 'no memory is mapped at this address',
  [DmaFault.NOT_READABLE]: 'the memory may not be read',
  [DmaFault.NOT_WRITABLE]: 'the memory may not be written',
  [DmaFault.BUS_MASTER_OFF]: 'bus mastering is switched off',
  [DmaFault.PAST_END_OF_FILE]: 'the file behind the memory ends before this address',
  [DmaFault.REVOKED]: 'the memory was unmapped while a command used it',
  [DmaFault.PEER_FAILED]: 'the client does not share this memory, and did not transfer it when asked',
  [DmaFault.OUT_OF_RANGE]: 'the address is not below 2^53'
}

/** Counts faults, and tells of as many as somebody may want to read. */
export class FaultLog {
  readonly #recorder: Recorder
  readonly #logger: Logger
  readonly #counts: number[] = Object.values(DmaFault).map(() => 0)
  readonly #loggedAt: number[] = Object.values(DmaFault).map(() => -Infinity)
  #second = 0
  #recorded = 0

  constructor (recorder: Recorder, logger: Logger) {
    this.#recorder = recorder
    this.#logger = logger
  }

  count (fault: DmaFault): number {
    return this.#counts[fault]!
  }

  note (fault: DmaFault, iova: number, byteLength: number, access: DmaAccess): void {
    this.#counts[fault]! += 1
    const now = performance.now()
    const second = Math.floor(now / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#recorded = 0
    }
    this.#recorded += 1
    if (this.#recorded > RECORDS_PER_SECOND_MAX) return
    this.#recorder.record({ type: 'fault', iova, byteLength, access, fault })
    if (now - this.#loggedAt[fault]! < LOG_INTERVAL_MS) return
    this.#loggedAt[fault] = now
    const details = { iova: `0x${iova.toString(16)}`, byteLength, access, count: this.#counts[fault] }
    this.#logger.warn(details, `A DMA transfer of the device faulted: ${MEANING[fault]}.`)
  }
}
