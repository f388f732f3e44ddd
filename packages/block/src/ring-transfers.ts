import { systemError } from '@pcikit/native'
import type { IoRing } from '@pcikit/native'
import type { FileTransfers } from './file-transfers.js'
import type { TransferVector } from './transfer-vector.js'

/** How many requests are in the kernel at a time. More go where there is room for them. */
export const RING_SLOT_COUNT = 256

/** So many requests do not wait for the rest of their turn, so that a disk begins while more are prepared. */
const BATCH_MAX = 32

/**
 * Whoever waits for requests in flight sleeps instead of looking on, for so many microseconds at most. Linux runs what
 * it cannot do at once on threads, often on the core that handed it over, and whoever looks on takes the time from the
 * thread that he waits for. One request whose thread has another core is over sooner than somebody who sleeps is woken:
 * it takes this many to sleep all the same.
 */
const SLEEP_REQUESTS_MIN = 2
const SLEEP_US = 50

/** What is used of a ring. */
export type RequestRing = Pick<
  IoRing,
  | 'slotCount'
  | 'hasAnswers'
  | 'prepareRead'
  | 'prepareWrite'
  | 'prepareSync'
  | 'exchange'
  | 'wait'
  | 'areThreadsHere'
  | 'onAnswer'
  | 'close'
>

/** A request that the ring has. */
interface Request {
  readonly syscall: string
  readonly resolve: (result: number) => void
  readonly reject: (error: Error) => void
}

/**
 * Through io_uring. What a device asks for in one turn goes to the kernel with one system call: at the end of the turn,
 * which is a microtask, or at the next `poll`. Answers are seen by either, and by the event loop.
 */
export class RingTransfers implements FileTransfers {
  readonly #ring: RequestRing
  readonly #fd: number
  readonly #overflow: FileTransfers
  readonly #answers: Float64Array
  /** By slot. */
  readonly #requests: (Request | undefined)[]
  readonly #freeSlots: number[]
  readonly #handOver: () => void
  readonly poll: (mayWait?: boolean) => boolean
  #prepared: number

  /** Owns `ring` from now on. `overflow` does what finds no slot. */
  constructor (ring: RequestRing, fd: number, overflow: FileTransfers) {
    this.#ring = ring
    this.#fd = fd
    this.#overflow = overflow
    this.#answers = new Float64Array(2 * ring.slotCount)
    this.#requests = new Array<Request | undefined>(ring.slotCount).fill(undefined)
    this.#freeSlots = Array.from({ length: ring.slotCount }, (_, slot) => slot)
    this.#prepared = 0
    this.#handOver = () => {
      if (this.#prepared > 0) this.#exchange()
    }
    this.poll = (mayWait = false) =>
      (this.#prepared > 0 || ring.hasAnswers || (mayWait && this.#sleep())) && this.#exchange()
    ring.onAnswer(() => this.#exchange())
  }

  read (vector: TransferVector, position: number): Promise<number> {
    const slot = this.#freeSlots.at(-1)
    if (slot === undefined) return this.#overflow.read(vector, position)
    const { buffers, offsets, lengths, count } = vector
    this.#ring.prepareRead(slot, this.#fd, buffers, offsets, lengths, count, position)
    return this.#begin(slot, 'preadv')
  }

  write (vector: TransferVector, position: number): Promise<number> {
    const slot = this.#freeSlots.at(-1)
    if (slot === undefined) return this.#overflow.write(vector, position)
    const { buffers, offsets, lengths, count } = vector
    this.#ring.prepareWrite(slot, this.#fd, buffers, offsets, lengths, count, position)
    return this.#begin(slot, 'pwritev')
  }

  async sync (): Promise<void> {
    const slot = this.#freeSlots.at(-1)
    if (slot === undefined) return this.#overflow.sync()
    this.#ring.prepareSync(slot, this.#fd)
    await this.#begin(slot, 'fdatasync')
  }

  close (): void {
    this.#ring.close()
  }

  /** After the slot was prepared: a call that refused it leaves it free. */
  #begin (slot: number, syscall: string): Promise<number> {
    this.#freeSlots.pop()
    const answer = new Promise<number>((resolve, reject) => {
      this.#requests[slot] = { syscall, resolve, reject }
    })
    this.#prepared += 1
    if (this.#prepared === 1) queueMicrotask(this.#handOver)
    if (this.#prepared >= BATCH_MAX) this.#exchange()
    return answer
  }

  /** Lets others have the core. True: something was answered. */
  #sleep (): boolean {
    const inFlight = this.#ring.slotCount - this.#freeSlots.length
    if (inFlight === 0 || (inFlight < SLEEP_REQUESTS_MIN && !this.#ring.areThreadsHere)) return false
    this.#ring.wait(SLEEP_US)
    return this.#ring.hasAnswers
  }

  /** True when requests were answered. */
  #exchange (): boolean {
    this.#prepared = 0
    const count = this.#ring.exchange(this.#answers)
    for (let index = 0; index < count; index += 1) this.#end(this.#answers[2 * index]!, this.#answers[2 * index + 1]!)
    return count > 0
  }

  #end (slot: number, result: number): void {
    const request = this.#requests[slot]
    this.#requests[slot] = undefined
    this.#freeSlots.push(slot)
    if (result < 0) request?.reject(systemError(result, request.syscall))
    else request?.resolve(result)
  }
}
