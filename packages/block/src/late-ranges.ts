/** Blocks one after the other. */
export interface BlockRange {
  readonly start: number
  readonly count: number
}

interface Entry<Request> {
  readonly request: Request
  readonly ranges: readonly BlockRange[]
}

/**
 * Changes of storage that have ended for whoever asked for them (their memory was taken away, or the device was reset)
 * while the back end still works on them. It may carry them out at any time, so a request for the same blocks is held
 * until then: a late change never follows a newer one. docs/decisions/0010-late-changes.md says why.
 */
export class LateRanges<Request> {
  readonly #changes: Entry<Request>[] = []
  #held: Entry<Request>[] = []

  /** Nothing is late, which is so nearly always. */
  get isEmpty (): boolean {
    return this.#changes.length === 0
  }

  /** The change has ended, but not in its back end. */
  add (request: Request, ranges: readonly BlockRange[]): void {
    this.#changes.push({ request, ranges })
  }

  /** Keeps a request that must not begin yet. False: it may. */
  hold (request: Request, ranges: readonly BlockRange[]): boolean {
    const entry = { request, ranges }
    const mustWait = this.#isTouched(entry)
    if (mustWait) this.#held.push(entry)
    return mustWait
  }

  /** The back end is done with a change. Returns the requests that may begin now, in order. */
  end (request: Request): Request[] {
    const index = this.#changes.findIndex(change => change.request === request)
    if (index < 0) return []
    this.#changes.splice(index, 1)
    return this.#release(held => !this.#isTouched(held))
  }

  /** Lets go of the held requests for which `test` is true: they do not begin any more. */
  drop (test: (request: Request) => boolean): Request[] {
    return this.#release(held => test(held.request))
  }

  #isTouched ({ ranges }: Entry<Request>): boolean {
    return this.#changes.some(change => intersect(change.ranges, ranges))
  }

  #release (test: (held: Entry<Request>) => boolean): Request[] {
    const released = this.#held.filter(test)
    if (released.length > 0) this.#held = this.#held.filter(held => !released.includes(held))
    return released.map(({ request }) => request)
  }
}

function intersect (some: readonly BlockRange[], others: readonly BlockRange[]): boolean {
  return some.some(one =>
    others.some(other => one.start < other.start + other.count && other.start < one.start + one.count)
  )
}
