import { MappedPages } from './mapped-pages.js'
import { RecentChunks } from './recent-chunks.js'
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
  /** What was found lately of all that is mapped. */
  readonly recent = new RecentChunks()
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

  /** Nobody finds the memory of these, all regions from `iova` to `end`, until it is retired and mapped again. */
  hide (regions: readonly Region[], iova: number, end: number): void {
    for (const { pages } of regions) if (pages !== undefined) pages.isLive = false
    this.recent.forget(iova, end)
  }

  /** The same for all of the memory. */
  hideAll (): void {
    this.#hide(this.#live)
  }

  /** Takes a mapping away from everybody but the leases that are open on it. */
  retire (pages: MappedPages): void {
    if (pages.isLive) this.#forget(pages)
    const last = this.#live.pop()!
    if (last !== pages) {
      this.#live[pages.slot] = last
      last.slot = pages.slot
    }
    pages.retire()
  }

  /** Retires all mappings for which `test` is true. */
  retireIf (test: (pages: MappedPages) => boolean): void {
    const lost = this.#live.filter(test)
    if (lost.length === 0) return
    this.#hide(lost)
    for (const pages of lost) this.retire(pages)
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
      // Whoever uses it again has to search for it, and says so then.
      pages.wasUsed = false
      this.#forget(pages)
      this.#hand += 1
    }
  }

  /** More is forgotten than must be. It is rare. */
  #hide (lost: readonly MappedPages[]): void {
    for (const pages of lost) pages.isLive = false
    this.recent.forgetAll()
  }

  #forget ({ region }: MappedPages): void {
    this.recent.forget(region.iova, region.end)
  }
}
