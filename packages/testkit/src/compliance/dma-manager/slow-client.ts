import type { DmaPort } from '@pcikit/core'
import { PAGE } from './guest.js'

/** A client that is asked for its memory, and that answers when it is told to. */
export class SlowClient implements DmaPort {
  readonly transferBytesMax: number
  readonly memory = new Uint8Array(64 * PAGE)
  /** What was asked, as [direction, iova, byteLength]. */
  readonly requests: (readonly [string, number, number])[] = []
  /** Set: every request is refused. */
  refuses = false
  #held: (() => void)[] | undefined = undefined

  constructor (transferBytesMax = PAGE) {
    this.transferBytesMax = transferBytesMax
  }

  async read (iova: number, target: Uint8Array): Promise<void> {
    await this.#answer('read', iova, target.byteLength)
    target.set(this.memory.subarray(iova, iova + target.byteLength))
  }

  async write (iova: number, source: Uint8Array): Promise<void> {
    await this.#answer('write', iova, source.byteLength)
    this.memory.set(source, iova)
  }

  /** From now on requests wait for `answer`. */
  hold (): void {
    this.#held = []
  }

  /** Answers all requests that wait. */
  answer (): void {
    for (const resume of this.#held ?? []) resume()
    this.#held = undefined
  }

  async #answer (direction: string, iova: number, byteLength: number): Promise<void> {
    this.requests.push([direction, iova, byteLength])
    if (this.#held !== undefined) await new Promise<void>(resolve => this.#held?.push(resolve))
    if (this.refuses) throw new Error('The client refuses')
  }
}
