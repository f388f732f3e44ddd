import { assert } from './errors.js'

/**
 * A list that is filled and emptied again and again, and keeps its storage meanwhile. An array gives it up when its
 * length becomes 0: on a path that is taken a million times in a second this is all the garbage there is.
 *
 * What was in it stays referenced until something else takes its place, or until {@link WorkList.release}.
 */
export class WorkList<T> {
  readonly #items: (T | undefined)[] = []
  #count = 0

  get count (): number {
    return this.#count
  }

  add (item: T): void {
    this.#items[this.#count++] = item
  }

  at (index: number): T {
    assert(index >= 0 && index < this.#count, 'a list of work has no such item')
    return this.#items[index]!
  }

  /** Empties it, and keeps its storage. */
  clear (): void {
    this.#count = 0
  }

  /** Keeps the first `count` items. */
  truncate (count: number): void {
    assert(count <= this.#count, 'a list of work only becomes shorter')
    this.#count = count
  }

  /** Puts an item in the place of another. */
  set (index: number, item: T): void {
    assert(index >= 0 && index < this.#count, 'a list of work has no such item')
    this.#items[index] = item
  }

  /** Empties it, and lets go of its storage and of whatever was in it. */
  release (): void {
    this.#count = 0
    this.#items.length = 0
  }
}
