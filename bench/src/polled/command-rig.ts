import { DATA_AT } from './rig-memory.js'
import type { RigMemory, RigMemoryOptions } from './rig-memory.js'

/** Which way the data of a batch goes. */
export type Direction = 'read' | 'write'

/** The host's side of a queue. */
export interface RigHost {
  /** Writes a batch into the ring. */
  submit(direction: Direction): void
  /** Takes what came back. Throws where a command did not end well. */
  check(): void
}

/** A queue with who serves it. */
export interface RigQueue {
  readonly host: RigHost
  /** Serves what was submitted, until nothing of it is left. */
  execute(): void
}

/** A device in this process, and what it is compared with: a bare loop on a queue of its own, with the same data. */
export class CommandRig implements AsyncDisposable {
  readonly #options: RigMemoryOptions
  readonly #memory: RigMemory
  readonly #device: RigQueue
  readonly #bare: RigQueue

  constructor (options: RigMemoryOptions, memory: RigMemory, queues: { device: RigQueue, bare: RigQueue }) {
    this.#options = options
    this.#memory = memory
    this.#device = queues.device
    this.#bare = queues.bare
  }

  /** Gives the memory back. */
  async [Symbol.asyncDispose] (): Promise<void> {
    await this.#memory[Symbol.asyncDispose]()
  }

  /** Submits a batch and has the device execute it. Returns the milliseconds that the device took. */
  cycle (direction: Direction): number {
    return timed(this.#device, direction)
  }

  /** Submits the same to the bare loop. Returns the milliseconds that it took. */
  bareCycle (direction: Direction): number {
    return timed(this.#bare, direction)
  }

  /** The host's side of a cycle. Returns the milliseconds that submitting took. */
  hostCycle (direction: Direction): number {
    const startedAtMs = performance.now()
    this.#bare.host.submit(direction)
    const tookMs = performance.now() - startedAtMs
    this.#bare.execute()
    this.#bare.host.check()
    return tookMs
  }

  /** Copies as much as a batch of reads does, between the same buffers, and nothing else. */
  copyCycle (): number {
    const { queueDepth, transferBytes } = this.#options
    const startedAtMs = performance.now()
    for (let slot = 0; slot < queueDepth; slot++) {
      this.#memory.copyOut(this.#memory.randomAt(), DATA_AT + slot * transferBytes, transferBytes)
    }
    return performance.now() - startedAtMs
  }
}

function timed (queue: RigQueue, direction: Direction): number {
  queue.host.submit(direction)
  const startedAtMs = performance.now()
  queue.execute()
  const tookMs = performance.now() - startedAtMs
  queue.host.check()
  return tookMs
}
