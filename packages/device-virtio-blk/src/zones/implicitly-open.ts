/**
 * The zones that writes opened, in the order in which they were opened: where there may be no more open zones, the
 * oldest of them gives way. A doubly linked ring in two arrays, so that no write allocates anything:
 *
 *     end ──► oldest ──► … ──► newest ──► end
 */
export class ImplicitlyOpen {
  readonly #next: Uint32Array
  readonly #previous: Uint32Array
  /** The place behind the last zone, where the ring starts and ends. */
  readonly #end: number

  constructor (zoneCount: number) {
    this.#next = new Uint32Array(zoneCount + 1)
    this.#previous = new Uint32Array(zoneCount + 1)
    this.#end = zoneCount
    this.#next[zoneCount] = zoneCount
    this.#previous[zoneCount] = zoneCount
  }

  get isEmpty (): boolean {
    return this.#next[this.#end] === this.#end
  }

  /** Only where there is one. */
  get oldest (): number {
    return this.#next[this.#end]!
  }

  /** A zone that is not in the ring. */
  add (zone: number): void {
    const newest = this.#previous[this.#end]!
    this.#next[newest] = zone
    this.#previous[zone] = newest
    this.#next[zone] = this.#end
    this.#previous[this.#end] = zone
  }

  /** A zone that is in the ring. */
  remove (zone: number): void {
    const next = this.#next[zone]!
    const previous = this.#previous[zone]!
    this.#next[previous] = next
    this.#previous[next] = previous
  }
}
