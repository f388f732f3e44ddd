import type { MappedLease } from './lease.js'

/** The leases that are open at the moment, in no order. */
export class OpenLeases {
  readonly #leases: MappedLease[] = []

  get list (): readonly MappedLease[] {
    return this.#leases
  }

  add (lease: MappedLease): void {
    lease.slot = this.#leases.length
    this.#leases.push(lease)
  }

  remove (lease: MappedLease): void {
    const last = this.#leases.pop()!
    if (last === lease) return
    this.#leases[lease.slot] = last
    last.slot = lease.slot
  }

  /** After memory was cut off: the leases that were open on it learn that their transfers are void. */
  noticeLoss (): void {
    for (const lease of this.#leases) lease.noticeLoss()
  }
}
