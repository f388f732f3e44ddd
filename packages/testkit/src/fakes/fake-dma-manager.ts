import { assert, DmaAccess, DmaFault, Errno, ProtocolError } from '@pcikit/core'
import type {
  DmaLease,
  DmaListener,
  DmaManager,
  DmaPeek,
  DmaPort,
  DmaRegion,
  DmaWindow,
  Subscription
} from '@pcikit/core'
import { closeDescriptor } from '@pcikit/native'
import { FakeLease } from './fake-lease.js'
import { FakePeek } from './fake-peek.js'
import { FakeRegion } from './fake-region.js'
import { FakeWindow } from './fake-window.js'

const PAGE_BYTES = 4096
/** The end of the addresses handled: what lies below is exact in a double. */
const ADDRESS_END = 2 ** 53

/** One piece of a range, in one region. */
export interface FakePiece {
  readonly region: FakeRegion
  readonly iova: number
  readonly offset: number
  readonly length: number
}

/** Where a range is, or why it is not. */
export interface Resolution {
  readonly fault: DmaFault
  readonly faultIova: number
  readonly pieces: readonly FakePiece[]
}

/**
 * A DMA manager for tests of devices and transports: the whole contract in the plainest way, without a thought about
 * speed. Regions are in a list, and nothing is cached.
 */
export class FakeDmaManager implements DmaManager {
  readonly #deadlineMs: number
  readonly #regions: FakeRegion[] = []
  readonly #leases = new Set<FakeLease>()
  readonly #mapListeners = new Set<DmaListener>()
  readonly #unmapListeners = new Set<DmaListener>()
  #port: DmaPort | undefined
  #isClosed = false
  isBusMaster = false

  /** `deadlineMs` is how long an unmap or a drain waits for transfers in flight. */
  constructor (deadlineMs = 1000) {
    this.#deadlineMs = deadlineMs
  }

  get regionCount (): number {
    return this.#regions.length
  }

  map (region: DmaRegion): void {
    const refusal = this.#findRefusal(region)
    if (refusal !== undefined) {
      if (region.descriptor !== undefined) closeDescriptor(region.descriptor)
      throw refusal
    }
    this.#regions.push(new FakeRegion(region))
    notify(this.#mapListeners, region.iova, region.byteLength)
  }

  async unmap (iova: number, byteLength: number): Promise<number> {
    const end = iova + byteLength
    const touched = this.#regions.filter(region => region.iova < end && iova < region.end)
    if (touched.some(region => region.iova < iova || region.end > end)) {
      throw new ProtocolError(Errno.EINVAL, 'The range cuts a region in two')
    }
    return this.#remove(touched)
  }

  async unmapAll (): Promise<number> {
    return this.#remove([...this.#regions])
  }

  setBusMaster (enabled: boolean): void {
    if (this.isBusMaster === enabled) return
    this.isBusMaster = enabled
    notify(enabled ? this.#mapListeners : this.#unmapListeners, 0, ADDRESS_END)
  }

  setPort (port: DmaPort | undefined): void {
    this.#port = port
  }

  createLease (): DmaLease {
    return new FakeLease(this)
  }

  openWindow (iova: number, byteLength: number, access: DmaAccess): DmaWindow {
    return new FakeWindow(this, iova, byteLength, access)
  }

  createPeek (): DmaPeek {
    return new FakePeek(this)
  }

  read (iova: number, target: Uint8Array): DmaFault | Promise<DmaFault> {
    return this.#copy(iova, target.length, DmaAccess.READ, (list, index, at) => {
      const start = list.offsetAt(index)
      target.set(list.bytesAt(index).subarray(start, start + list.lengthAt(index)), at)
    })
  }

  write (iova: number, source: Uint8Array): DmaFault | Promise<DmaFault> {
    return this.#copy(iova, source.length, DmaAccess.WRITE, (list, index, at) => {
      list.bytesAt(index).set(source.subarray(at, at + list.lengthAt(index)), list.offsetAt(index))
    })
  }

  onMap (listener: DmaListener): Subscription {
    return subscribe(this.#mapListeners, listener)
  }

  onUnmap (listener: DmaListener): Subscription {
    return subscribe(this.#unmapListeners, listener)
  }

  async drain (): Promise<void> {
    await Promise.all(this.#regions.map(region => region.drain(this.#deadlineMs)))
  }

  async close (): Promise<void> {
    this.#isClosed = true
    await this.unmapAll()
  }

  /** Finds the memory of a range. */
  resolve (iova: number, byteLength: number, access: DmaAccess): Resolution {
    const pieces: FakePiece[] = []
    const fail = (fault: DmaFault, faultIova: number): Resolution => ({ fault, faultIova, pieces: [] })
    if (!this.isBusMaster) return fail(DmaFault.BUS_MASTER_OFF, iova)
    // The sum of the two may be rounded down to the end itself.
    if (byteLength > ADDRESS_END - iova) return fail(DmaFault.OUT_OF_RANGE, iova)
    for (let at = iova; at < iova + byteLength;) {
      const region = this.#regions.find(candidate => at >= candidate.iova && at < candidate.end)
      if (region === undefined) return fail(DmaFault.UNMAPPED, at)
      const length = Math.min(iova + byteLength, region.end) - at
      const { fault, offset } = region.check(at - region.iova, length, access)
      if (fault !== DmaFault.NONE) return fail(fault, region.iova + offset)
      pieces.push({ region, iova: at, offset: at - region.iova, length })
      at += length
    }
    return { fault: DmaFault.NONE, faultIova: 0, pieces }
  }

  /** Asks the client for memory, or gives it some, in requests that it can answer. False where it refuses. */
  async exchange (direction: 'read' | 'write', iova: number, bytes: Uint8Array): Promise<boolean> {
    try {
      for (let at = 0; at < bytes.length;) {
        const port = this.#port
        if (port === undefined) return false
        const part = bytes.subarray(at, at + port.transferBytesMax)
        await (direction === 'read' ? port.read(iova + at, part) : port.write(iova + at, part))
        at += part.length
      }
      return true
    } catch {
      return false
    }
  }

  /** How many leases are open: a device that forgets one holds up every unmap. */
  get openLeaseCount (): number {
    return this.#leases.size
  }

  /** Keeps count of open leases. */
  track (lease: FakeLease): void {
    if (lease.isOpen) this.#leases.add(lease)
    else this.#leases.delete(lease)
  }

  #copy (
    iova: number,
    byteLength: number,
    access: DmaAccess,
    copy: (lease: DmaLease, index: number, at: number) => void
  ): DmaFault | Promise<DmaFault> {
    const lease = new FakeLease(this)
    lease.open(access)
    const finish = (fault: DmaFault): DmaFault => {
      lease.close()
      return fault
    }
    const copyAll = (fault: DmaFault): DmaFault | Promise<DmaFault> => {
      let at = 0
      for (let index = 0; fault === DmaFault.NONE && index < lease.segmentCount; index++) {
        copy(lease, index, at)
        at += lease.lengthAt(index)
      }
      const committed = fault === DmaFault.NONE ? lease.commit() : fault
      return typeof committed === 'number' ? finish(committed) : committed.then(finish)
    }
    const fault = lease.append(iova, byteLength)
    if (fault !== DmaFault.NONE) return finish(fault)
    const fetched = lease.fetch()
    return typeof fetched === 'number' ? copyAll(fetched) : fetched.then(copyAll)
  }

  async #remove (regions: readonly FakeRegion[]): Promise<number> {
    for (const region of regions) {
      this.#regions.splice(this.#regions.indexOf(region), 1)
      notify(this.#unmapListeners, region.iova, region.byteLength)
    }
    await Promise.all(regions.map(region => region.drain(this.#deadlineMs)))
    for (const region of regions) region.close()
    return regions.length
  }

  #findRefusal ({ iova, byteLength, fileOffset, descriptor }: DmaRegion): ProtocolError | undefined {
    assert(!this.#isClosed, 'the manager is not used after it was closed')
    const addresses = descriptor === undefined ? [iova, byteLength] : [iova, byteLength, fileOffset]
    if (byteLength === 0 || addresses.some(value => value < 0 || value % PAGE_BYTES !== 0)) {
      return new ProtocolError(Errno.EINVAL, 'The region is empty or not made of whole pages')
    }
    if (iova + byteLength > ADDRESS_END) return new ProtocolError(Errno.EINVAL, 'The region does not end below 2^53')
    const overlaps = this.#regions.some(region => region.iova < iova + byteLength && iova < region.end)
    return overlaps ? new ProtocolError(Errno.EEXIST, 'The region overlaps another') : undefined
  }
}

function subscribe (listeners: Set<DmaListener>, listener: DmaListener): Subscription {
  const own: DmaListener = (iova, byteLength) => listener(iova, byteLength)
  listeners.add(own)
  return { close: () => void listeners.delete(own) }
}

/** Tells everybody, whatever one of them throws. */
function notify (listeners: ReadonlySet<DmaListener>, iova: number, byteLength: number): void {
  for (const listener of [...listeners]) {
    try {
      listener(iova, byteLength)
    } catch {
      // A listener must not throw; what one does wrong is not the others' loss.
    }
  }
}
