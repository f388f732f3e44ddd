import { MemorySocket } from './memory-socket.js'

/**
 * Where clients of this process connect to a device that the transport `memory` serves: the whole protocol, without a
 * socket. Give it to the transport as `listener`, and what `connect` gives to `VfioUserClient.attach`.
 */
export class MemoryListener {
  readonly #waiting: MemorySocket[] = []
  readonly #capacityBytes: number | undefined
  #callback: (() => void) | undefined = undefined
  #isOpen = true
  #isScheduled = false

  /** `capacityBytes` is how much each end can send ahead of the other's receiving; as with sockets unless given. */
  constructor (capacityBytes?: number) {
    this.#capacityBytes = capacityBytes
  }

  /** A client's end of a new connection. Throws where nobody listens any more. */
  connect (): MemorySocket {
    if (!this.#isOpen) throw new Error('Nobody listens here any more: the transport was closed.')
    const [client, server] = MemorySocket.pair(this.#capacityBytes)
    this.#waiting.push(server)
    this.#schedule()
    return client
  }

  accept (): MemorySocket | undefined {
    return this.#waiting.shift()
  }

  onReadable (callback: (() => void) | undefined): void {
    this.#callback = callback
    this.#schedule()
  }

  close (): void {
    this.#isOpen = false
    for (const socket of this.#waiting.splice(0)) socket.close()
  }

  #schedule (): void {
    if (this.#isScheduled || this.#waiting.length === 0 || this.#callback === undefined) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      if (this.#waiting.length > 0) this.#callback?.()
      this.#schedule()
    })
  }
}
