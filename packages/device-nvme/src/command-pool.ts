import { assert } from '@pcikit/core'
import type { DmaSpace } from '@pcikit/core'
import { Command } from './command.js'
import type { SubmissionQueue } from './queues/submission-queue.js'

/** Recycles command records. It grows to the largest number that were ever in use at once. */
export class CommandPool {
  readonly #dma: DmaSpace
  #free: Command | undefined = undefined
  #inUse = 0

  constructor (dma: DmaSpace) {
    this.#dma = dma
  }

  /** Records taken and not released. */
  get inUse (): number {
    return this.#inUse
  }

  take (queue: SubmissionQueue): Command {
    let command = this.#free
    if (command === undefined) command = new Command(this.#dma.createLease())
    else this.#free = command.next
    command.next = undefined
    command.queue = queue
    command.result = 0
    command.statusField = 0
    this.#inUse++
    return command
  }

  release (command: Command): void {
    assert(command.queue !== undefined && !command.isActive, 'a command record is released once, after its end')
    command.queue = undefined
    command.next = this.#free
    this.#free = command
    this.#inUse--
  }
}
