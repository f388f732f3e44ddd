import { assert } from '@pcikit/core'
import type { DmaSpace } from '@pcikit/core'
import { Command } from './command.js'
import type { SubmissionQueue } from './queues/submission-queue.js'

/** Recycles command records. It grows to the largest number that were ever in use at once. */
export class CommandPool {
  readonly #dma: DmaSpace
  readonly #records: Command[] = []
  #free: Command | undefined = undefined
  #inUse = 0

  constructor (dma: DmaSpace) {
    this.#dma = dma
  }

  /** Called when the memory of a command was taken away. See DmaLease. */
  onRevoke: ((command: Command) => void) | undefined = undefined

  /** All records there are, in use or not. */
  get records (): readonly Command[] {
    return this.#records
  }

  /** Records taken and not released. */
  get inUse (): number {
    return this.#inUse
  }

  take (queue: SubmissionQueue): Command {
    let command = this.#free
    if (command === undefined) command = this.#create()
    else this.#free = command.next
    command.next = undefined
    command.queue = queue
    command.result = 0
    command.statusField = 0
    command.isInBackEnd = false
    command.ranges = undefined
    this.#inUse++
    return command
  }

  /** A record of a command that was fetched by other code, and waits for something to happen. */
  park (queue: SubmissionQueue, cid: number): Command {
    const command = this.take(queue)
    command.cid = cid
    command.isActive = true
    command.isParked = true
    queue.inFlight++
    return command
  }

  release (command: Command): void {
    assert(command.queue !== undefined && !command.isActive, 'a command record is released once, after its end')
    command.queue = undefined
    command.next = this.#free
    this.#free = command
    this.#inUse--
  }

  #create (): Command {
    const command = new Command(this.#dma.createLease())
    command.lease.onRevoke = () => this.onRevoke?.(command)
    this.#records.push(command)
    return command
  }
}
