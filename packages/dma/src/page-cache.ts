import { MappedPages } from './mapped-pages.js'
import type { Region } from './region.js'
import type { SharedFile } from './shared-file.js'

/** How far one step of the clock looks for memory to give up. */
const CLOCK_STEPS_MAX = 64

/**
 * The regions whose memory is mapped at the moment. A region is mapped when it is first touched: Linux allows a process
 * 65,530 mappings, and under a vIOMMU most regions serve one command or none. Past the limit those that were not used
 * for a while are given up, as a clock hand passes over them; those with an open lease stay.
 */
export class PageCache {
  readonly #live: MappedPages[] = []
  readonly #countMax: number
  #hand = 0

  constructor (countMax: number) {
    this.#countMax = countMax
  }

  get count (): number {
    return this.#live.length
  }

  /** Maps a region. Throws the system error where that is not possible. */
  open (region: Region, file: SharedFile): MappedPages {
    if (this.#live.length >= this.#countMax) this.#advance()
    const pages = new MappedPages(region, file)
    pages.slot = this.#live.length
    this.#live.push(pages)
    region.pages = pages
    return pages
  }

  /** Takes a mapping away from everybody but the leases that are open on it. */
  retire (pages: MappedPages): void {
    const last = this.#live.pop()!
    if (last !== pages) {
      this.#live[pages.slot] = last
      last.slot = pages.slot
    }
    pages.retire()
  }

  /** Retires all mappings for which `test` is true. */
  retireIf (test: (pages: MappedPages) => boolean): void {
    for (const pages of this.#live.filter(test)) this.retire(pages)
  }

  /** Nobody finds any of the memory any more, until it is retired and mapped again. */
  hide (): void {
    for (const pages of this.#live) pages.isLive = false
  }

  /** Second chance: what was used since the hand passed it is spared once. */
  #advance (): void {
    for (let steps = 0; steps < CLOCK_STEPS_MAX && this.#live.length >= this.#countMax; steps += 1) {
      if (this.#hand >= this.#live.length) this.#hand = 0
      const pages = this.#live[this.#hand]!
      if (!pages.wasUsed && pages.inFlight.count === 0) {
        this.retire(pages)
        continue
      }
      pages.wasUsed = false
      this.#hand += 1
    }
  }
}
