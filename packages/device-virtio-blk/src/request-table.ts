import type { VirtqueueChain } from '@pcikit/virtio'
import { BlockRequest } from './block-request.js'

/** The records of requests, one for each record of a chain. */
export class RequestTable {
  readonly #onRevoke: (request: BlockRequest) => void
  readonly #queues: BlockRequest[][] = []
  /** Records whose place was needed while their back end was not done. */
  readonly #displaced = new Set<BlockRequest>()

  /** `onRevoke` is told of requests whose memory was taken away. */
  constructor (onRevoke: (request: BlockRequest) => void) {
    this.#onRevoke = onRevoke
  }

  /** Begins a request for a chain. */
  claim (chain: VirtqueueChain): BlockRequest {
    const queue = this.#queues[chain.queueIndex] ??= []
    let request = queue[chain.slot]
    if (request === undefined || request.isActive) {
      if (request !== undefined) this.#displaced.add(request)
      request = new BlockRequest(chain, this.#onRevoke)
      queue[chain.slot] = request
    }
    request.claim(chain)
    return request
  }

  /** Ends a request: its record is free. */
  release (request: BlockRequest): void {
    request.isActive = false
    if (this.#displaced.size > 0) this.#displaced.delete(request)
  }

  /** The requests that have begun. */
  active (): BlockRequest[] {
    return [...this.#queues.flat(), ...this.#displaced].filter(request => request.isActive)
  }
}
