import { BlkStatus } from '../../src/protocol.js'
import { ZoneState } from '../../src/zones/zone-constants.js'

const { OK, ZONE_INVALID_CMD, ZONE_UNALIGNED_WP, ZONE_OPEN_RESOURCE, ZONE_ACTIVE_RESOURCE } = BlkStatus
const { NOT_WP, EMPTY, IOPEN, EOPEN, CLOSED, FULL, RDONLY, OFFLINE } = ZoneState

/** How the disk of a model is cut, in sectors. */
export interface ModelGeometry {
  readonly sectors: number
  readonly zone: number
  readonly capacity: number
  readonly conventional: number
  readonly maxOpen: number
  readonly maxActive: number
  readonly append: number
  readonly granularity: number
  readonly readOnlyZones: readonly number[]
  readonly offlineZones: readonly number[]
}

/** A write that was announced. */
export interface ModelWrite {
  readonly sector: number
  readonly count: number
  readonly value: number
}

interface ModelZone {
  readonly start: number
  readonly length: number
  readonly capacity: number
  state: ZoneState
  /** From the start of the disk on. */
  pointer: number
  succeeded: number
  writes: ModelWrite[]
  isHeld: boolean
}

/** Something that waits for writes, or for what waits for them. */
interface ModelChange {
  /** Which zones it needs without writes: asked when its turn comes. */
  readonly zones: () => ModelZone[]
  readonly apply: (zones: ModelZone[]) => BlkStatus
  readonly answer: (status: BlkStatus) => void
  held: ModelZone[] | undefined
}

/**
 * What host-managed zones do, told as simply as possible: objects and lists, everything counted anew each time.
 * Sectors hold a number each; undefined is one whose write failed or is in flight.
 */
export class ZoneModel {
  readonly zones: ModelZone[]
  readonly #geometry: ModelGeometry
  readonly #content: (number | undefined)[]
  /** Zones in state IOPEN, in the order in which they were opened. */
  readonly #opened: ModelZone[] = []
  readonly #changes: ModelChange[] = []

  constructor (geometry: ModelGeometry, garbage: number) {
    this.#geometry = geometry
    this.#content = Array(geometry.sectors).fill(garbage)
    this.zones = Array.from({ length: Math.ceil(geometry.sectors / geometry.zone) }, (_, index) => {
      const start = index * geometry.zone
      const length = Math.min(geometry.zone, geometry.sectors - start)
      const isConventional = index < geometry.conventional
      const state = isConventional ?
        NOT_WP :
        geometry.readOnlyZones.includes(index) ?
        RDONLY :
        geometry.offlineZones.includes(index) ?
        OFFLINE :
        EMPTY
      const capacity = isConventional ? length : Math.min(length, geometry.capacity)
      return { start, length, capacity, state, pointer: start, succeeded: start, writes: [], isHeld: false }
    })
  }

  get isQuiet (): boolean {
    return this.#changes.length === 0 && this.zones.every(zone => zone.writes.length === 0)
  }

  /** A write, or with `isAppend` one to the pointer of the zone at `sector`. The announced one, or why not. */
  begin (sector: number, count: number, value: number, isAppend: boolean): ModelWrite | BlkStatus {
    if (sector >= this.#geometry.sectors || sector + count > this.#geometry.sectors) {
      if (!isAppend || sector >= this.#geometry.sectors) return ZONE_INVALID_CMD
    }
    const zone = this.#zoneAt(sector)
    if (isAppend) {
      if (count > this.#geometry.append || zone.start !== sector || zone.state === NOT_WP) return ZONE_INVALID_CMD
      return this.#beginIn(zone, { sector: zone.pointer, count, value })
    }
    const last = this.#zoneAt(sector + count - 1)
    if (last.state === NOT_WP) return this.#claim(zone, { sector, count, value })
    return last === zone ? this.#beginIn(zone, { sector, count, value }) : ZONE_INVALID_CMD
  }

  end (write: ModelWrite, succeeded: boolean): void {
    const zone = this.#zoneAt(write.sector)
    zone.writes.splice(zone.writes.indexOf(write), 1)
    for (let sector = write.sector; sector < write.sector + write.count; sector += 1) {
      this.#content[sector] = succeeded ? write.value : undefined
    }
    if (zone.state === NOT_WP) return
    if (succeeded) zone.succeeded = Math.max(zone.succeeded, write.sector + write.count)
    if (zone.succeeded === zone.start + zone.capacity && isActive(zone)) this.#enter(zone, FULL)
    if (zone.writes.length > 0) return
    zone.pointer = zone.succeeded
    if (zone.pointer === zone.start && (zone.state === IOPEN || zone.state === CLOSED)) this.#enter(zone, EMPTY)
    this.#advance()
  }

  open (sector: number, answer: (status: BlkStatus) => void): void {
    this.#whenFree(sector, answer, zone => {
      if (zone.state === EOPEN) return OK
      if (![EMPTY, IOPEN, CLOSED].some(state => state === zone.state)) return ZONE_INVALID_CMD
      const status = zone.state === IOPEN ? OK : this.#makeRoom(zone)
      if (status === OK) this.#enter(zone, EOPEN)
      return status
    })
  }

  close (sector: number, answer: (status: BlkStatus) => void): void {
    this.#whenFree(sector, answer, zone => {
      if (zone.state === CLOSED) return OK
      if (!isOpen(zone)) return ZONE_INVALID_CMD
      this.#enter(zone, zone.pointer === zone.start ? EMPTY : CLOSED)
      return OK
    })
  }

  finish (sector: number, answer: (status: BlkStatus) => void): void {
    const zone = this.#managed(sector)
    if (zone === undefined) answer(ZONE_INVALID_CMD)
    else this.#change(() => [zone], answer, () => this.#enter(zone, FULL))
  }

  reset (sector: number, answer: (status: BlkStatus) => void): void {
    const zone = this.#managed(sector)
    if (zone === undefined) answer(ZONE_INVALID_CMD)
    else this.#change(() => [zone].filter(isNotEmpty), answer, zones => zones.forEach(each => this.#empty(each)))
  }

  resetAll (answer: (status: BlkStatus) => void): void {
    this.#change(
      () => this.zones.filter(zone => isManageable(zone) && isNotEmpty(zone)),
      answer,
      zones => zones.forEach(zone => this.#empty(zone))
    )
  }

  closeAll (): void {
    for (const zone of this.zones.filter(isOpen)) this.#enter(zone, zone.pointer === zone.start ? EMPTY : CLOSED)
  }

  /** What a read of a sector gives; undefined: anything. */
  at (sector: number): number | undefined {
    const zone = this.#zoneAt(sector)
    if (zone.state !== NOT_WP && sector >= zone.pointer) return 0
    const isInFlight = zone.writes.some(write => sector >= write.sector && sector < write.sector + write.count)
    return isInFlight ? undefined : this.#content[sector]
  }

  canRead (sector: number, count: number): boolean {
    if (sector + count > this.#geometry.sectors) return false
    const first = this.#zoneAt(sector)
    const last = this.#zoneAt(sector + count - 1)
    return first.state !== OFFLINE && (first === last || last.state === NOT_WP)
  }

  #zoneAt (sector: number): ModelZone {
    const zone = this.zones[Math.floor(sector / this.#geometry.zone)]
    if (zone === undefined) throw new Error(`There is no sector ${sector}.`)
    return zone
  }

  #managed (sector: number): ModelZone | undefined {
    return this.zones.find(zone => zone.start === sector && isManageable(zone))
  }

  #beginIn (zone: ModelZone, write: ModelWrite): ModelWrite | BlkStatus {
    if (zone.isHeld || ![EMPTY, IOPEN, EOPEN, CLOSED].some(state => state === zone.state)) return ZONE_INVALID_CMD
    const end = write.sector + write.count
    if (write.sector !== zone.pointer || (end - zone.start) % this.#geometry.granularity !== 0) return ZONE_UNALIGNED_WP
    if (end > zone.start + zone.capacity) return ZONE_INVALID_CMD
    const status = isOpen(zone) ? OK : this.#makeRoom(zone)
    if (status !== OK) return status
    if (!isOpen(zone)) this.#enter(zone, IOPEN)
    zone.pointer = end
    return this.#claim(zone, write)
  }

  #claim (zone: ModelZone, write: ModelWrite): ModelWrite {
    zone.writes.push(write)
    return write
  }

  #makeRoom (zone: ModelZone): BlkStatus {
    const { maxOpen, maxActive } = this.#geometry
    const active = this.zones.filter(isActive).length
    if (!isActive(zone) && maxActive > 0 && active >= maxActive) return ZONE_ACTIVE_RESOURCE
    if (maxOpen === 0 || this.zones.filter(isOpen).length < maxOpen) return OK
    const oldest = this.#opened[0]
    if (oldest === undefined) return ZONE_OPEN_RESOURCE
    this.#enter(oldest, CLOSED)
    return OK
  }

  #enter (zone: ModelZone, state: ZoneState): void {
    if (zone.state === IOPEN) this.#opened.splice(this.#opened.indexOf(zone), 1)
    if (state === IOPEN) this.#opened.push(zone)
    zone.state = state
  }

  #empty (zone: ModelZone): void {
    this.#enter(zone, EMPTY)
    zone.pointer = zone.start
    zone.succeeded = zone.start
    this.#content.fill(0, zone.start, zone.start + zone.length)
  }

  #whenFree (sector: number, answer: (status: BlkStatus) => void, work: (zone: ModelZone) => BlkStatus): void {
    const zone = this.zones.find(each => each.start === sector)
    if (zone === undefined) answer(ZONE_INVALID_CMD)
    else if (zone.isHeld) this.#enqueue({ zones: () => [], apply: () => work(zone), answer, held: undefined })
    else answer(work(zone))
  }

  #change (zones: () => ModelZone[], answer: (status: BlkStatus) => void, work: (zones: ModelZone[]) => void): void {
    const apply = (held: ModelZone[]): BlkStatus => {
      work(held)
      return OK
    }
    this.#enqueue({ zones, apply, answer, held: undefined })
  }

  #enqueue (change: ModelChange): void {
    this.#changes.push(change)
    this.#advance()
  }

  #advance (): void {
    for (let change = this.#changes[0]; change !== undefined; change = this.#changes[0]) {
      change.held ??= change.zones()
      for (const zone of change.held) zone.isHeld = true
      if (change.held.some(zone => zone.writes.length > 0)) return
      this.#changes.shift()
      change.answer(change.apply(change.held))
      for (const zone of change.held) zone.isHeld = false
    }
  }
}

function isOpen (zone: ModelZone): boolean {
  return zone.state === IOPEN || zone.state === EOPEN
}

function isActive (zone: ModelZone): boolean {
  return isOpen(zone) || zone.state === CLOSED
}

function isNotEmpty (zone: ModelZone): boolean {
  return zone.state !== EMPTY
}

function isManageable (zone: ModelZone): boolean {
  return ![NOT_WP, RDONLY, OFFLINE].some(state => state === zone.state)
}
