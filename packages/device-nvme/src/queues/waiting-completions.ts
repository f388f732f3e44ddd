import { assert } from '@pcikit/core'
import type { SubmissionQueue } from './submission-queue.js'

const CAPACITY_MIN = 32
/** Dwords of an entry: the result, then the command identifier with the status field above it. */
const ENTRY_DWORDS = 2

/** What is told of a command, and the queue that it is from. */
export interface Completion {
  readonly cid: number
  /** Status Field, without the phase tag. */
  readonly statusField: number
  /** Dword 0. */
  readonly result: number
  readonly queue: SubmissionQueue | undefined
}

/**
 * Completions that wait to be told, oldest first, with what is known of them at the end of their command. The record of
 * the command is free at once: a batch of commands needs one of them, which stays in the cache, and not one each.
 */
export class WaitingCompletions {
  #dwords = new Uint32Array(CAPACITY_MIN * ENTRY_DWORDS)
  #queues = new Array<SubmissionQueue | undefined>(CAPACITY_MIN).fill(undefined)
  /** One less than the capacity, which is a power of two. */
  #mask = CAPACITY_MIN - 1
  #first = 0
  #count = 0

  get count (): number {
    return this.#count
  }

  push (command: Completion): void {
    if (this.#count > this.#mask) this.#grow()
    const slot = (this.#first + this.#count) & this.#mask
    this.#dwords[slot * ENTRY_DWORDS] = command.result
    this.#dwords[slot * ENTRY_DWORDS + 1] = command.cid | command.statusField << 16
    this.#queues[slot] = command.queue
    this.#count++
  }

  /** Forgets the `count` oldest ones. */
  drop (count: number): void {
    assert(count <= this.#count, 'completions that wait are told once')
    for (let index = 0; index < count; index++) this.#queues[(this.#first + index) & this.#mask] = undefined
    this.#first = (this.#first + count) & this.#mask
    this.#count -= count
  }

  /** The submission queue of the command that is `index` after the oldest one. */
  queueAt (index: number): SubmissionQueue {
    assert(index < this.#count, 'there are not as many completions that wait')
    return this.#queues[(this.#first + index) & this.#mask]!
  }

  resultAt (index: number): number {
    return this.#dwords[((this.#first + index) & this.#mask) * ENTRY_DWORDS]!
  }

  cidAt (index: number): number {
    return this.#dwords[((this.#first + index) & this.#mask) * ENTRY_DWORDS + 1]! & 0xffff
  }

  statusFieldAt (index: number): number {
    return this.#dwords[((this.#first + index) & this.#mask) * ENTRY_DWORDS + 1]! >>> 16
  }

  #grow (): void {
    const capacity = this.#mask + 1
    const dwords = new Uint32Array(capacity * 2 * ENTRY_DWORDS)
    const queues = new Array<SubmissionQueue | undefined>(capacity * 2).fill(undefined)
    for (let index = 0; index < this.#count; index++) {
      const slot = (this.#first + index) & this.#mask
      queues[index] = this.#queues[slot]
      dwords.set(this.#dwords.subarray(slot * ENTRY_DWORDS, (slot + 1) * ENTRY_DWORDS), index * ENTRY_DWORDS)
    }
    this.#dwords = dwords
    this.#queues = queues
    this.#mask = capacity * 2 - 1
    this.#first = 0
  }
}
