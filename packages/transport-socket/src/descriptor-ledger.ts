import { closeDescriptor } from '@pcikit/native'
import { Header } from './layouts/header.js'
import { takesDescriptors } from './protocol.js'
import type { ReceiveBuffer } from './receive-buffer.js'

/** No descriptors. */
export const NO_DESCRIPTORS: readonly number[] = Object.freeze([])

/** Descriptors that one receive brought, and the bytes that it brought, as places in the stream. */
interface Arrival {
  readonly start: number
  readonly end: number
  readonly descriptors: readonly number[]
}

/** How far into a message its size and its command can be read. */
const KNOWN_AFTER = Header.messageSize.offset + Header.messageSize.size

/**
 * Finds the message that descriptors belong to, and owns them until it is handled.
 *
 * The kernel hands out the descriptors of a sendmsg with the first of its bytes, and ends a receive after the buffer
 * they came with. So they belong to what was sent last, the message that holds the last of the received bytes. Where
 * messages of that kind take none, a client put several messages in one sendmsg: then to the nearest one before it in
 * the same receive that takes some.
 */
export class DescriptorLedger {
  readonly #descriptorsMax: number
  readonly #onUnexpected: (count: number) => void
  #arrivals: Arrival[] = []
  /** By the place in the stream where the message starts. */
  readonly #owned = new Map<number, number[]>()
  readonly #excessive = new Set<number>()

  constructor (descriptorsMax: number, onUnexpected: (count: number) => void) {
    this.#descriptorsMax = descriptorsMax
    this.#onUnexpected = onUnexpected
  }

  /** Whether every descriptor has its message. While this is false, no message may be handled. */
  get isSettled (): boolean {
    return this.#arrivals.length === 0
  }

  /** Whether any descriptor waits for its message to be handled. */
  get isEmpty (): boolean {
    return this.#owned.size === 0 && this.#excessive.size === 0
  }

  /** Takes over the descriptors that came with the bytes `[start, end)` of the stream. */
  add (start: number, end: number, descriptors: readonly number[]): void {
    this.#arrivals.push({ start, end, descriptors })
  }

  /** Finds messages, with `from` as the start of the first one not handled. May need more bytes: see `isSettled`. */
  settle (buffer: ReceiveBuffer, from: number): void {
    while (this.#arrivals.length > 0) {
      const arrival = this.#arrivals[0]!
      const message = findMessage(buffer, from, arrival)
      if (message === 'later') return
      this.#arrivals.shift()
      if (message === 'none') this.#refuse(arrival.descriptors)
      else this.#give(message, arrival.descriptors)
    }
  }

  /** Hands over the descriptors of the message that starts at `place`. The caller closes or passes on each. */
  take (place: number): readonly number[] {
    const descriptors = this.#owned.get(place)
    if (descriptors === undefined) return NO_DESCRIPTORS
    this.#owned.delete(place)
    return descriptors
  }

  /** Tells, once, whether the message that starts at `place` came with more descriptors than were agreed on. */
  takeExcess (place: number): boolean {
    return this.#excessive.delete(place)
  }

  /** Closes everything that is still here. */
  close (): void {
    for (const { descriptors } of this.#arrivals) closeAll(descriptors)
    for (const descriptors of this.#owned.values()) closeAll(descriptors)
    this.#arrivals = []
    this.#owned.clear()
    this.#excessive.clear()
  }

  #give (place: number, descriptors: readonly number[]): void {
    const owned = this.#owned.get(place) ?? []
    if (this.#excessive.has(place) || owned.length + descriptors.length > this.#descriptorsMax) {
      this.#excessive.add(place)
      this.#owned.delete(place)
      closeAll(owned)
      closeAll(descriptors)
      return
    }
    owned.push(...descriptors)
    this.#owned.set(place, owned)
  }

  #refuse (descriptors: readonly number[]): void {
    closeAll(descriptors)
    this.#onUnexpected(descriptors.length)
  }
}

/** Closes descriptors that nobody wants. */
export function closeAll (descriptors: readonly number[]): void {
  for (const descriptor of descriptors) closeDescriptor(descriptor)
}

/** The place of the message that an arrival belongs to; 'later' where the next bytes will tell. */
function findMessage (buffer: ReceiveBuffer, from: number, arrival: Arrival): number | 'none' | 'later' {
  let found: number | 'none' = 'none'
  let place = from
  while (place < arrival.end) {
    if (buffer.end - place < KNOWN_AFTER) return 'later'
    const position = buffer.positionOf(place)
    const size = Header.messageSize.get(buffer.view, position)
    // Nothing after this can be trusted. Whoever frames the messages finds the same and ends the connection.
    if (size < Header.byteLength) return found
    const end = place + size
    if (end > arrival.start && takesDescriptors(Header.command.get(buffer.view, position))) found = place
    place = end
  }
  return found
}
