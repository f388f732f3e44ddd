const PAGE_BYTES = 4096

/** Hands out pages of the guest's memory. Ranges that touch are one, so that what is given may span regions. */
export class PageAllocator {
  /** Ranges that are free, by address, apart from each other. */
  #free: { start: number, end: number }[] = []
  readonly #taken = new Map<number, number>()

  /** Adds memory. */
  add (start: number, byteLength: number): void {
    this.#free.push({ start, end: start + byteLength })
    this.#merge()
  }

  /** Takes the first pages that are long enough. Throws when there are none. */
  allocate (byteLength: number): number {
    const needed = Math.max(1, Math.ceil(byteLength / PAGE_BYTES)) * PAGE_BYTES
    const range = this.#free.find(candidate => candidate.end - candidate.start >= needed)
    if (range === undefined) throw new RangeError(`The guest has no ${needed} bytes in a row left.`)
    const start = range.start
    range.start += needed
    this.#taken.set(start, needed)
    return start
  }

  /** Gives pages back. */
  free (start: number): void {
    const byteLength = this.#taken.get(start)
    if (byteLength === undefined) throw new RangeError(`Nothing was allocated at 0x${start.toString(16)}.`)
    this.#taken.delete(start)
    this.add(start, byteLength)
  }

  /** Takes a range out for good. */
  reserve (start: number, byteLength: number): void {
    const end = start + byteLength
    this.#free = this.#free.flatMap(range => [
      { start: range.start, end: Math.min(range.end, start) },
      { start: Math.max(range.start, end), end: range.end }
    ]).filter(range => range.end > range.start)
  }

  #merge (): void {
    this.#free.sort((left, right) => left.start - right.start)
    const merged: { start: number, end: number }[] = []
    for (const range of this.#free) {
      const last = merged.at(-1)
      if (range.end === range.start) continue
      if (last !== undefined && last.end === range.start) last.end = range.end
      else merged.push({ ...range })
    }
    this.#free = merged
  }
}
