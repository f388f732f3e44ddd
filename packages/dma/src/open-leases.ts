import type { Logger } from '@pcikit/core'
import type { MappedLease } from './lease.js'
import type { MappedPages } from './mapped-pages.js'

/** The leases that are open at the moment, in no order. */
export class OpenLeases {
  readonly #leases: MappedLease[] = []
  readonly #logger: Logger
  /** Takes a mapping away from everybody but the leases that are open on it. */
  readonly #retire: (pages: MappedPages) => void
  /** Those that were revoked in part, while others work on the rest. Nearly always empty. */
  #partial: MappedLease[] = []

  constructor (logger: Logger, retire: (pages: MappedPages) => void) {
    this.#logger = logger
    this.#retire = retire
  }

  get list (): readonly MappedLease[] {
    return this.#leases
  }

  add (lease: MappedLease): void {
    lease.slot = this.#leases.length
    this.#leases.push(lease)
  }

  remove (lease: MappedLease): void {
    const last = this.#leases.pop()!
    if (last !== lease) {
      this.#leases[lease.slot] = last
      last.slot = lease.slot
    }
    if (this.#partial.length > 0) this.#tellRevoked(this.#partial)
  }

  /** After memory was cut off: the leases that were open on it learn that their transfers are void. */
  noticeLoss (): void {
    for (const lease of this.#leases) lease.noticeLoss()
    this.#tellRevoked(this.#leases)
  }

  /**
   * Tells the devices whose leases were revoked, once nothing of them can be reached. What is left of such a lease gets
   * no new users, and is cut off as soon as only revoked leases are open on it.
   */
  #tellRevoked (among: readonly MappedLease[]): void {
    const revoked = among.filter(lease => lease.awaitsNotice)
    const remaining = revoked.map(lease => lease.remaining)
    for (const pages of new Set(remaining.flat())) {
      if (pages.isLive) this.#retire(pages)
      const pieces = remaining.flat().filter(each => each === pages)
      if (pieces.length === pages.inFlight.count) pages.cutOff()
    }
    this.#partial = revoked.filter(lease => lease.remaining.length > 0)
    for (const lease of revoked) if (lease.remaining.length === 0) this.#tell(lease)
  }

  /** Who is told must not throw. One that does must not keep memory from going, or the others from knowing. */
  #tell (lease: MappedLease): void {
    try {
      if (lease.isOpen) lease.tell()
    } catch (error) {
      this.#logger.error({ err: error }, 'A device failed when it was told that a lease was revoked.')
    }
  }
}
