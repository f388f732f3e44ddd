import type { CompletionQueue } from './completion-queue.js'

/**
 * Doorbells that the host leaves in memory, and rings only when it was asked to. A queue is either watched, which costs
 * a look in every turn and the host nothing, or armed, which costs the host a ring and nobody anything until then.
 *
 * ```
 *            its host rings, or commands of it were completed
 *   armed ─────────────────────────────────────────────────────► watched ◄──┐ something new: serve it
 *     ▲                                                             │  └────┘
 *     └── ask to be told, look once more, find nothing ◄────────────┘ nothing new for a while
 * ```
 */
export interface DoorbellWatch {
  /** Whether there is something to look at in the next turn. */
  readonly isWatching: boolean
  /** Looks at every queue that is watched, and wakes those with something new. */
  look(): void
  /** Completions of a queue were published: its host is likely to go on. */
  published(queue: CompletionQueue): void
  /** A completion queue has no room. Takes what the host has made meanwhile; if nothing, the host is asked to tell. */
  makeRoom(queue: CompletionQueue): void
  /** Memory came: all queues are looked at in the next turn. */
  memoryCame(): void
}
