/** Counts what is under way over something that is to be taken away, and tells when that came to an end. */
export class InFlight {
  #count = 0
  #waiting: (() => void)[] | undefined = undefined

  get count (): number {
    return this.#count
  }

  enter (): void {
    this.#count += 1
  }

  leave (): void {
    this.#count -= 1
    if (this.#count === 0 && this.#waiting !== undefined) this.#tell(this.#waiting)
  }

  /** Calls back once, when the count falls to zero the next time; at once if it is zero. */
  whenIdle (callback: () => void): void {
    if (this.#count === 0) callback()
    else this.#waiting = [...(this.#waiting ?? []), callback]
  }

  #tell (waiting: readonly (() => void)[]): void {
    this.#waiting = undefined
    for (const callback of waiting) callback()
  }
}

/** Something that has transfers in flight, and that can end them by force. */
export interface InUse {
  readonly inFlight: InFlight
  /** Makes sure that what is still in flight reaches no memory any more. */
  cutOff(): void
}

/** How late a timer of a busy process may be, and how long it takes to replace pages and to answer, in milliseconds. */
const CUT_OFF_MS = 10

/**
 * How long transfers are waited for, so that who waits has an answer by the deadline. A tenth of it is for cutting off
 * the others: the more time there is, the more memory may have to go.
 */
export function patienceMs (deadlineMs: number): number {
  return deadlineMs - Math.min(deadlineMs / 2, Math.max(CUT_OFF_MS, deadlineMs / 10))
}

/**
 * Waits until nothing is in flight any more. What has been in use all the time is cut off, early enough for this to be
 * over by the deadline, so that no stuck transfer can hold up who waits.
 *
 * @returns how many were cut off
 */
export async function endTransfers (holders: readonly InUse[], deadlineMs: number): Promise<number> {
  const busy = new Set(holders.filter(holder => holder.inFlight.count > 0))
  if (busy.size === 0) return 0
  await new Promise<void>(resolve => {
    const timer = setTimeout(resolve, patienceMs(deadlineMs))
    for (const holder of [...busy]) {
      holder.inFlight.whenIdle(() => {
        busy.delete(holder)
        if (busy.size > 0) return
        clearTimeout(timer)
        resolve()
      })
    }
  })
  for (const holder of busy) holder.cutOff()
  return busy.size
}
