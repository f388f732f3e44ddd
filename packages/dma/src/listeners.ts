import type { DmaListener, Logger, Subscription } from '@pcikit/core'

/** Those who want to know when memory comes, or when it goes. */
export class Listeners {
  readonly #listeners = new Set<{ readonly call: DmaListener }>()
  readonly #logger: Logger

  constructor (logger: Logger) {
    this.#logger = logger
  }

  add (call: DmaListener): Subscription {
    const entry = { call }
    this.#listeners.add(entry)
    return { close: () => void this.#listeners.delete(entry) }
  }

  /** A listener must not throw. One that does must not keep memory from going, or the others from knowing. */
  tell (iova: number, byteLength: number): void {
    for (const { call } of [...this.#listeners]) {
      try {
        call(iova, byteLength)
      } catch (error) {
        this.#logger.error(
          { err: error, iova, byteLength },
          'A device failed when it was told of a change of its memory.'
        )
      }
    }
  }
}
