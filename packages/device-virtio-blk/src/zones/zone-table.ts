import { assert } from '@pcikit/core'
import { BlkStatus } from '../protocol.js'
import { ImplicitlyOpen } from './implicitly-open.js'
import { ZonedModel, ZoneState } from './zone-constants.js'
import type { ZoneGeometry } from './zone-geometry.js'

/** What a state takes of the limits, and what may be done in it. */
const OPEN = 1
const ACTIVE = 2
const WRITABLE = 4

/** By number of the state. */
const TRAITS: Readonly<Uint8Array> = Uint8Array.from({ length: 16 }, (_, state) => {
  switch (state) {
    case ZoneState.NOT_WP:
    case ZoneState.EMPTY:
      return WRITABLE
    case ZoneState.IOPEN:
    case ZoneState.EOPEN:
      return OPEN | ACTIVE | WRITABLE
    case ZoneState.CLOSED:
      return ACTIVE | WRITABLE
    default:
      return 0
  }
})

/**
 * State and write pointer of every zone, and how many zones are open and active. Zones go by their number; positions in
 * a zone are sectors from its start on. [virtio] "Block Device", "Device Operation".
 *
 *                 write, append                 zone is full
 *     EMPTY ──────────────────────► IOPEN ─────────────────────► FULL      RDONLY   OFFLINE
 *       │ ▲                         │   ▲                         ▲
 *       │ └─ reset, of all ──┐ open │   │ write                   │ zone is full, finish (of all)
 *       │                    │      ▼   │                         │
 *       └─── open ──────────────► EOPEN ┼─── close ──► CLOSED ────┘
 */
export class ZoneTable {
  readonly geometry: ZoneGeometry
  readonly states: Uint8Array
  /** Write pointers, from the start of the zone on: where the next write goes. */
  readonly written: Uint32Array
  /** How far writes have succeeded: not past `written`, and the same while no write is in flight. */
  readonly #succeeded: Uint32Array
  readonly #inFlight: Uint32Array
  /** Zones that take no writes for now, because a reset or finish waits. */
  readonly #isHeld: Uint8Array
  readonly #implicitlyOpen: ImplicitlyOpen
  #openCount: number
  #activeCount: number
  /** Counts changes of states and write pointers. */
  changes: number
  /** Called when a zone that is held has no more writes in flight. */
  onQuiet: (() => void) | undefined

  /** All sequential zones are empty. */
  constructor (geometry: ZoneGeometry) {
    const { zoneCount, conventionalCount } = geometry
    this.geometry = geometry
    this.states = new Uint8Array(zoneCount).fill(ZoneState.EMPTY).fill(ZoneState.NOT_WP, 0, conventionalCount)
    this.written = new Uint32Array(zoneCount)
    this.#succeeded = new Uint32Array(zoneCount)
    this.#inFlight = new Uint32Array(zoneCount)
    this.#isHeld = new Uint8Array(zoneCount)
    this.#implicitlyOpen = new ImplicitlyOpen(zoneCount)
    this.#openCount = 0
    this.#activeCount = 0
    this.changes = 0
    this.onQuiet = undefined
  }

  get activeCount (): number {
    return this.#activeCount
  }

  lengthOf (zone: number): number {
    const { zoneSectors, capacitySectors } = this.geometry
    return Math.min(zoneSectors, capacitySectors - zone * zoneSectors)
  }

  /** What of a zone can be written. */
  capacityOf (zone: number): number {
    const length = this.lengthOf(zone)
    return zone < this.geometry.conventionalCount ? length : Math.min(length, this.geometry.zoneCapacitySectors)
  }

  /** How far writes to the zone have succeeded. */
  succeededIn (zone: number): number {
    return this.#succeeded[zone]!
  }

  /** Puts a zone into a state with nothing in flight: for the start, and for resets. */
  place (zone: number, state: ZoneState, written: number): void {
    assert(this.#inFlight[zone] === 0, 'a zone was moved under a write in flight')
    this.#enter(zone, state)
    this.written[zone] = written
    this.#succeeded[zone] = written
  }

  /** Announces a write at `offset` of a sequential zone. */
  beginWrite (zone: number, offset: number, sectorCount: number): BlkStatus {
    if (!this.canWrite(zone)) return BlkStatus.ZONE_INVALID_CMD
    const end = offset + sectorCount
    if (offset !== this.written[zone] || end % this.geometry.granularitySectors !== 0) {
      return BlkStatus.ZONE_UNALIGNED_WP
    }
    if (end > this.capacityOf(zone)) return BlkStatus.ZONE_INVALID_CMD
    const status = this.#openImplicitly(zone)
    if (status === BlkStatus.OK) this.#announce(zone, end)
    return status
  }

  /** Whether a sequential zone takes writes, where they fit. */
  canWrite (zone: number): boolean {
    const state = this.states[zone]!
    if (this.#isHeld[zone] !== 0) return false
    if ((TRAITS[state]! & WRITABLE) !== 0) return true
    return state === ZoneState.FULL && this.geometry.model === ZonedModel.HOST_AWARE
  }

  /** Announces a write that ends at `end` of a host-aware zone that can be written. */
  beginRandomWrite (zone: number, end: number): void {
    this.#openImplicitly(zone)
    this.#announce(zone, Math.max(end, this.written[zone]!))
  }

  /** A write that was announced is over. */
  endWrite (zone: number, end: number, succeeded: boolean): void {
    const before = this.#inFlight[zone]!
    assert(before > 0, 'a write ended that was not announced')
    this.#inFlight[zone] = before - 1
    if (succeeded && end > this.#succeeded[zone]!) this.#succeed(zone, end)
    if (before > 1) return
    if (this.#succeeded[zone]! < this.written[zone]!) this.#takeBack(zone)
    if (this.#isHeld[zone] !== 0) this.onQuiet?.()
  }

  /** ZONE_OPEN. */
  open (zone: number): BlkStatus {
    const state = this.states[zone]!
    if (state === ZoneState.EOPEN) return BlkStatus.OK
    if (state === ZoneState.NOT_WP || (TRAITS[state]! & WRITABLE) === 0) return BlkStatus.ZONE_INVALID_CMD
    const status = this.#makeRoom(state)
    if (status === BlkStatus.OK) this.#enter(zone, ZoneState.EOPEN)
    return status
  }

  /** ZONE_CLOSE. */
  close (zone: number): BlkStatus {
    const state = this.states[zone]!
    if (state === ZoneState.CLOSED) return BlkStatus.OK
    if ((TRAITS[state]! & OPEN) === 0) return BlkStatus.ZONE_INVALID_CMD
    this.#enter(zone, this.written[zone] === 0 ? ZoneState.EMPTY : ZoneState.CLOSED)
    return BlkStatus.OK
  }

  /** Closes what is open. */
  closeAll (): void {
    if (this.#openCount === 0) return
    for (let zone = this.geometry.conventionalCount; zone < this.geometry.zoneCount; zone += 1) this.close(zone)
  }

  /** Whether ZONE_RESET, ZONE_FINISH and erasing are possible. */
  canManage (zone: number): boolean {
    const state = this.states[zone]!
    return state !== ZoneState.NOT_WP && state !== ZoneState.RDONLY && state !== ZoneState.OFFLINE
  }

  /** Lets a zone take no more writes, or lets it take them again. */
  hold (zone: number, isHeld: boolean): void {
    this.#isHeld[zone] = isHeld ? 1 : 0
  }

  isHeld (zone: number): boolean {
    return this.#isHeld[zone] !== 0
  }

  hasWrites (zone: number): boolean {
    return this.#inFlight[zone] !== 0
  }

  /**
   * ZONE_FINISH, of a zone that can be managed and has no writes in flight. From EMPTY and CLOSED as well, as the ZBD
   * standards have it: the transitions that are listed for these states leave it out.
   */
  finish (zone: number): void {
    this.#enter(zone, ZoneState.FULL)
  }

  #announce (zone: number, end: number): void {
    this.written[zone] = end
    this.#inFlight[zone]! += 1
    this.changes += 1
  }

  /** [virtio] "Block Device", "Device Operation": a zone is full when a write that reaches its capacity succeeded. */
  #succeed (zone: number, end: number): void {
    this.#succeeded[zone] = end
    this.changes += 1
    if (end === this.capacityOf(zone) && (TRAITS[this.states[zone]!]! & ACTIVE) !== 0) this.#enter(zone, ZoneState.FULL)
  }

  /** The last writes failed. A zone that only they opened is empty again. */
  #takeBack (zone: number): void {
    const end = this.#succeeded[zone]!
    this.written[zone] = end
    this.changes += 1
    const state = this.states[zone]!
    if (end === 0 && (state === ZoneState.IOPEN || state === ZoneState.CLOSED)) this.#enter(zone, ZoneState.EMPTY)
  }

  #openImplicitly (zone: number): BlkStatus {
    const state = this.states[zone]!
    if (state !== ZoneState.EMPTY && state !== ZoneState.CLOSED) return BlkStatus.OK
    const status = this.#makeRoom(state)
    if (status === BlkStatus.OK) this.#enter(zone, ZoneState.IOPEN)
    return status
  }

  /**
   * Whether a zone in `state` may be opened. Where too many are open, the oldest that a write opened is closed.
   * [virtio] "Block Device", "Device Operation": a request that exceeds both limits ends with ZONE_ACTIVE_RESOURCE.
   */
  #makeRoom (state: number): BlkStatus {
    const { maxOpenZones, maxActiveZones } = this.geometry
    const traits = TRAITS[state]!
    if ((traits & ACTIVE) === 0 && maxActiveZones !== 0 && this.#activeCount >= maxActiveZones) {
      return BlkStatus.ZONE_ACTIVE_RESOURCE
    }
    if ((traits & OPEN) === 0 && maxOpenZones !== 0 && this.#openCount >= maxOpenZones) {
      if (this.#implicitlyOpen.isEmpty) return BlkStatus.ZONE_OPEN_RESOURCE
      this.#enter(this.#implicitlyOpen.oldest, ZoneState.CLOSED)
    }
    return BlkStatus.OK
  }

  #enter (zone: number, state: ZoneState): void {
    const from = this.states[zone]!
    if (from === ZoneState.IOPEN) this.#implicitlyOpen.remove(zone)
    if (state === ZoneState.IOPEN) this.#implicitlyOpen.add(zone)
    this.#openCount += (TRAITS[state]! & OPEN) - (TRAITS[from]! & OPEN)
    this.#activeCount += ((TRAITS[state]! & ACTIVE) - (TRAITS[from]! & ACTIVE)) / ACTIVE
    this.states[zone] = state
    this.changes += 1
  }
}
