import { closeDescriptor, createEventFd, readEventFd, watchDescriptor } from '@pcikit/native'
import type { DescriptorWatch } from '@pcikit/native'
import type { IrqSetCommand } from '../vfio-user/irq-set.js'

/** What interrupts need of a client. */
export interface IrqClient {
  setIrqs(command: IrqSetCommand): Promise<void>
}

interface Vector {
  readonly descriptor: number
  readonly watch: DescriptorWatch
  /** Signals so far. */
  count: number
  /** Signals that `next` has not handed out. */
  unclaimed: number
  readonly waiters: (() => void)[]
}

/** QEMU's limit for the descriptors of one message. */
const DESCRIPTORS_PER_MESSAGE = 16

/** The eventfds of one kind of interrupt, and what came through them. */
export class IrqRecorder {
  readonly #vectors: Vector[]
  readonly #client: IrqClient
  readonly #index: number
  /** Called for each vector that was signalled. */
  onInterrupt: (vector: number) => void = () => undefined

  private constructor (client: IrqClient, index: number, count: number) {
    this.#client = client
    this.#index = index
    this.#vectors = Array.from({ length: count }, (_, vector) => this.#create(vector))
  }

  /** Makes eventfds for vectors `0 … count-1` of an interrupt index and assigns them, in chunks as QEMU does. */
  static async attach (client: IrqClient, index: number, count: number): Promise<IrqRecorder> {
    const recorder = new IrqRecorder(client, index, count)
    for (let start = 0; start < count; start += DESCRIPTORS_PER_MESSAGE) {
      const chunk = recorder.#vectors.slice(start, start + DESCRIPTORS_PER_MESSAGE)
      const descriptors = chunk.map(vector => vector.descriptor)
      await client.setIrqs({ index, start, count: chunk.length, action: 'trigger', data: { descriptors } })
    }
    return recorder
  }

  get vectorCount (): number {
    return this.#vectors.length
  }

  /** How often a vector was signalled. */
  count (vector: number): number {
    return this.#vector(vector).count
  }

  /** Resolves with the next signal of a vector that no other call got; at once where there is one already. */
  next (vector: number): Promise<void> {
    const entry = this.#vector(vector)
    if (entry.unclaimed > 0) {
      entry.unclaimed--
      return Promise.resolve()
    }
    return new Promise(resolve => entry.waiters.push(resolve))
  }

  /** The eventfd of a vector, which stays the recorder's. */
  descriptor (vector: number): number {
    return this.#vector(vector).descriptor
  }

  /** SET_IRQS UNMASK: what a hypervisor sends when the guest has handled an INTx. */
  async unmask (vector = 0): Promise<void> {
    await this.#client.setIrqs({ index: this.#index, start: vector, count: 1, action: 'unmask', data: 'none' })
  }

  /** SET_IRQS MASK. */
  async mask (vector = 0): Promise<void> {
    await this.#client.setIrqs({ index: this.#index, start: vector, count: 1, action: 'mask', data: 'none' })
  }

  /** Takes the whole kind of interrupt away from the device, then closes. */
  async detach (): Promise<void> {
    await this.#client.setIrqs({ index: this.#index, count: 0, action: 'trigger', data: 'none' })
    this.close()
  }

  /** Stops watching and closes the eventfds. */
  close (): void {
    for (const vector of this.#vectors.splice(0)) {
      vector.watch.close()
      closeDescriptor(vector.descriptor)
    }
  }

  #vector (vector: number): Vector {
    const entry = this.#vectors[vector]
    if (entry === undefined) throw new RangeError(`There is no vector ${vector}.`)
    return entry
  }

  #create (vector: number): Vector {
    const descriptor = createEventFd()
    const watch = watchDescriptor(descriptor, () => this.#take(vector))
    return { descriptor, watch, count: 0, unclaimed: 0, waiters: [] }
  }

  #take (vector: number): void {
    const entry = this.#vectors[vector]
    if (entry === undefined) return
    const signals = readEventFd(entry.descriptor)
    if (signals <= 0) return
    entry.count += signals
    for (let signal = 0; signal < signals; signal++) {
      const waiter = entry.waiters.shift()
      if (waiter === undefined) entry.unclaimed++
      else waiter()
    }
    this.onInterrupt(vector)
  }
}
