import { DmaAccess, DmaFault } from './dma.js'
import type { DmaLease, DmaListener, DmaSpace, DmaWindow } from './dma.js'
import { assert } from './errors.js'
import type { Subscription } from './subscription.js'

/** Memory comes and goes in pages of at least this size, so a page is there as a whole or not at all. */
const PAGE_BYTES = 4096
/** What a processor reads where nobody answers. */
const ONES = 0xff

/**
 * Guest memory in which nothing ever faults: where there is none, reads give all ones and writes vanish, page by page.
 * Windows are those of `dma`: they find memory or say why not.
 *
 * Leases work on copies. That costs time, but a back end that is at work when its memory goes must not notice, and one
 * that fills or reads the memory itself would.
 *
 * @param dma lives at least as long as what is returned
 */
export function dropFaults (dma: DmaSpace): DmaSpace {
  return new DroppingDma(dma)
}

class DroppingDma implements DmaSpace {
  readonly #dma: DmaSpace
  readonly #open = new Set<DroppingLease>()

  constructor (dma: DmaSpace) {
    this.#dma = dma
    dma.onUnmap(() => {
      // What was under way while bus mastering was off does not happen afterwards either.
      if (!dma.isBusMaster) this.#voidAll()
    })
  }

  get isBusMaster (): boolean {
    return this.#dma.isBusMaster
  }

  createLease (): DmaLease {
    return new DroppingLease(this.#dma, this.#open)
  }

  openWindow (iova: number, byteLength: number, access: DmaAccess): DmaWindow {
    return this.#dma.openWindow(iova, byteLength, access)
  }

  read (iova: number, target: Uint8Array): DmaFault | Promise<DmaFault> {
    const pending = readPages(this.#dma, iova, target, 0, never)
    return pending === undefined ? DmaFault.NONE : pending.then(() => DmaFault.NONE)
  }

  write (iova: number, source: Uint8Array): DmaFault | Promise<DmaFault> {
    const pending = writePages(this.#dma, iova, source, 0, never)
    return pending === undefined ? DmaFault.NONE : pending.then(() => DmaFault.NONE)
  }

  onMap (listener: DmaListener): Subscription {
    return this.#dma.onMap(listener)
  }

  onUnmap (listener: DmaListener): Subscription {
    return this.#dma.onUnmap(listener)
  }

  /** Copies hold no memory, so there is nothing to wait for: from now on what they hold goes nowhere. */
  drain (): Promise<void> {
    this.#voidAll()
    return this.#dma.drain()
  }

  #voidAll (): void {
    for (const lease of this.#open) lease.isVoid = true
  }
}

/** A lease on copies, which never faults. */
class DroppingLease implements DmaLease {
  access: DmaAccess = DmaAccess.READ
  isOpen = false
  readonly fault = DmaFault.NONE
  readonly faultIova = 0
  byteLength = 0
  /** Never called: copies are not taken away. */
  onRevoke: (() => void) | undefined = undefined
  /** What was read is ones, and what is written goes nowhere. */
  isVoid = false
  readonly #dma: DmaSpace
  /** The leases that are open. */
  readonly #siblings: Set<DroppingLease>
  readonly #iovas: number[] = []
  readonly #copies: Uint8Array[] = []
  #openings = 0

  constructor (dma: DmaSpace, siblings: Set<DroppingLease>) {
    this.#dma = dma
    this.#siblings = siblings
  }

  get segmentCount (): number {
    return this.#copies.length
  }

  bytesAt (index: number): Uint8Array {
    assert(index >= 0 && index < this.segmentCount, 'A lease has no such piece')
    return this.#copies[index]!
  }

  offsetAt (index: number): number {
    assert(index >= 0 && index < this.segmentCount, 'A lease has no such piece')
    return 0
  }

  lengthAt (index: number): number {
    return this.bytesAt(index).length
  }

  open (access: DmaAccess): void {
    assert(!this.isOpen, 'A lease was opened that is open already')
    this.access = access
    this.isOpen = true
    this.isVoid = false
    this.#openings += 1
    this.#siblings.add(this)
  }

  append (iova: number, byteLength: number): DmaFault {
    assert(this.isOpen, 'A range was appended to a lease that is not open')
    if (byteLength === 0) return DmaFault.NONE
    this.#iovas.push(iova)
    this.#copies.push(new Uint8Array(byteLength))
    this.byteLength += byteLength
    return DmaFault.NONE
  }

  fetch (): DmaFault | Promise<DmaFault> {
    assert(this.isOpen, 'A lease was fetched that is not open')
    return (this.access & DmaAccess.READ) === 0 ? DmaFault.NONE : this.#transfer(readPages)
  }

  commit (): DmaFault | Promise<DmaFault> {
    assert(this.isOpen, 'A lease was committed that is not open')
    return (this.access & DmaAccess.WRITE) === 0 ? DmaFault.NONE : this.#transfer(writePages)
  }

  close (): void {
    assert(this.isOpen, 'A lease was closed that is not open')
    this.isOpen = false
    this.byteLength = 0
    this.#iovas.length = this.#copies.length = 0
    this.#siblings.delete(this)
  }

  #transfer (transfer: PageTransfer): DmaFault | Promise<DmaFault> {
    const opening = this.#openings
    const isVoid = (): boolean => this.isVoid || !this.isOpen || this.#openings !== opening
    for (let index = 0; index < this.#copies.length; index += 1) {
      const pending = transfer(this.#dma, this.#iovas[index]!, this.#copies[index]!, 0, isVoid)
      if (pending !== undefined) return this.#transferRest(transfer, pending, index + 1, isVoid)
    }
    return DmaFault.NONE
  }

  async #transferRest (
    transfer: PageTransfer,
    pending: Promise<void>,
    first: number,
    isVoid: () => boolean
  ): Promise<DmaFault> {
    await pending
    for (let index = first; index < this.#copies.length; index += 1) {
      await transfer(this.#dma, this.#iovas[index]!, this.#copies[index]!, 0, isVoid)
    }
    return DmaFault.NONE
  }
}

/** Transfers from `start` of `local` on. Undefined: it is done. Nothing is asked of `dma` once `isVoid`. */
type PageTransfer = (
  dma: DmaSpace,
  iova: number,
  local: Uint8Array,
  start: number,
  isVoid: () => boolean
) => Promise<void> | undefined

const readPages: PageTransfer = (dma, iova, local, start, isVoid) => {
  for (let at = start; at < local.length;) {
    const page = pageOf(iova, local, at)
    const fault = isVoid() ? DmaFault.REVOKED : dma.read(iova + at, page)
    at += page.length
    if (typeof fault !== 'number') return readRest(dma, iova, local, { at, page, fault, isVoid })
    if (fault !== DmaFault.NONE) page.fill(ONES)
  }
  return undefined
}

const writePages: PageTransfer = (dma, iova, local, start, isVoid) => {
  for (let at = start; at < local.length && !isVoid();) {
    const page = pageOf(iova, local, at)
    const fault = dma.write(iova + at, page)
    at += page.length
    if (typeof fault !== 'number') return fault.then(() => writePages(dma, iova, local, at, isVoid))
  }
  return undefined
}

/** A page that is on its way by message, and how far the transfer is after it. */
interface PageUnderWay {
  readonly at: number
  readonly page: Uint8Array
  readonly fault: Promise<DmaFault>
  readonly isVoid: () => boolean
}

async function readRest (dma: DmaSpace, iova: number, local: Uint8Array, underWay: PageUnderWay): Promise<void> {
  if (await underWay.fault !== DmaFault.NONE) underWay.page.fill(ONES)
  await readPages(dma, iova, local, underWay.at, underWay.isVoid)
}

/** What of `local` lies in one page from `at` on. */
function pageOf (iova: number, local: Uint8Array, at: number): Uint8Array {
  const inPage = PAGE_BYTES - (iova + at) % PAGE_BYTES
  return local.subarray(at, at + inPage)
}

function never (): boolean {
  return false
}
