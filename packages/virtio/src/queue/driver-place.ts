/**
 * How far a driver has come in what was published to it, as the place shows where it wants its next interrupt: it has
 * taken what is before that, or will look at it once more. [virtio] "Used Buffer Notification Suppression".
 */
export class DriverPlace {
  /** What was published from there on; 0 where it wants no interrupt. */
  behind = 0
  readonly #size: number
  readonly #way: number
  #last = 0

  /** @param way after so many places they begin again; a driver is never more than `size` of them behind */
  constructor (size: number, way: number) {
    this.#size = size
    this.#way = way
  }

  /** Takes the place that the driver gives, and where the next one is published. Returns how far the driver went on. */
  follow (place: number, published: number): number {
    const behind = (published - place + this.#way) % this.#way
    if (behind > this.#size) return this.looksItself()
    const taken = (place - this.#last + this.#way) % this.#way
    this.#last = place
    this.behind = behind
    return taken > this.#size ? 0 : taken
  }

  /** The driver wants no interrupt. Where it is shows when it wants one again. */
  looksItself (): number {
    this.behind = 0
    return 0
  }
}
