import type { Command } from './command.js'
import type { AsyncEventType } from './layouts/async-event.js'
import { AsyncEventResult } from './layouts/async-event.js'
import { Status } from './status.js'

/** Asynchronous Event Request commands that may wait at once. AERL is one less. [NVMe-Base] "Identify Controller". */
export const ASYNC_EVENT_REQUESTS = 4
/** Distinct events kept while no request waits for them. */
const PENDING_EVENTS_MAX = 16

/** What the host waits for, and what it does not know yet. */
export interface AsyncEventsState {
  /** Command identifiers of the requests that wait. */
  readonly requests: readonly number[]
  readonly pending: readonly number[]
  readonly masked: readonly number[]
}

/**
 * Tells the host what happened, through the requests that it left for the purpose. After an event of one type the type
 * is masked until the host has read the log page that goes with it. [NVMe-Base] "Asynchronous Event Request command".
 */
export class AsyncEvents {
  readonly #complete: (command: Command, status: Status) => void
  readonly #parked: Command[] = []
  readonly #pending: number[] = []
  readonly #masked = new Set<number>()

  /** `complete` ends a command that was parked here. */
  constructor (complete: (command: Command, status: Status) => void) {
    this.#complete = complete
  }

  /**
   * Takes a request. Undefined: it is parked and will be completed later. Otherwise it ends at once.
   */
  request (command: Command): Status | undefined {
    const event = this.#nextPending()
    if (event !== undefined) {
      command.result = event
      return Status.SUCCESS
    }
    if (this.#parked.length >= ASYNC_EVENT_REQUESTS) return Status.ASYNC_EVENT_REQUEST_LIMIT_EXCEEDED
    this.#parked.push(command)
    return undefined
  }

  /** Something happened. Events of a type that is masked, and the same event twice, are told once. */
  raise (type: AsyncEventType, information: number, logPage: number): void {
    const event = AsyncEventResult.LID.set(
      AsyncEventResult.AEI.set(AsyncEventResult.AET.set(0, type), information),
      logPage
    )
    if (this.#masked.has(type)) return
    const command = this.#parked.shift()
    if (command === undefined) {
      if (!this.#pending.includes(event) && this.#pending.length < PENDING_EVENTS_MAX) this.#pending.push(event)
      return
    }
    this.#masked.add(type)
    command.result = event
    this.#complete(command, Status.SUCCESS)
  }

  /** The host read the log page of this type, and did not ask to retain the event. */
  clear (type: AsyncEventType): void {
    this.#masked.delete(type)
  }

  /** Ends a parked request early. False where there is no such request. */
  abort (cid: number): boolean {
    const index = this.#parked.findIndex(command => command.cid === cid)
    if (index < 0) return false
    const [command] = this.#parked.splice(index, 1)
    this.#complete(command!, Status.ABORT_REQUESTED)
    return true
  }

  save (): AsyncEventsState {
    return { requests: this.#parked.map(({ cid }) => cid), pending: [...this.#pending], masked: [...this.#masked] }
  }

  /** Goes on where others were; `park` makes a command of a request that waits. */
  restore ({ requests, pending, masked }: AsyncEventsState, park: (cid: number) => Command): void {
    this.#parked.push(...requests.map(park))
    this.#pending.push(...pending)
    for (const type of masked) this.#masked.add(type)
  }

  /** Forgets everything; hands back the requests that were parked, which end without a completion. */
  reset (): Command[] {
    this.#pending.length = 0
    this.#masked.clear()
    return this.#parked.splice(0)
  }

  #nextPending (): number | undefined {
    const index = this.#pending.findIndex(event => !this.#masked.has(AsyncEventResult.AET.get(event)))
    if (index < 0) return undefined
    const [event] = this.#pending.splice(index, 1)
    this.#masked.add(AsyncEventResult.AET.get(event!))
    return event
  }
}
