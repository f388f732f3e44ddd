import { Errno, LOGGER, OPTIONS, ProtocolError, RECORDER } from '@pcikit/core'
import type {
  DmaAccess,
  DmaFault,
  DmaLease,
  DmaListener,
  DmaManager,
  DmaPeek,
  DmaPort,
  DmaRegion,
  DmaWindow,
  Logger,
  Recorder,
  Subscription
} from '@pcikit/core'
import { inject, injectable } from 'tsyringe'
import { admitRegion, isPageMultiple } from './admit-region.js'
import { copyFromGuest, copyToGuest } from './copy.js'
import { GuestMemory } from './guest-memory.js'
import { endTransfers } from './in-flight.js'
import { MappedLease } from './lease.js'
import { Listeners } from './listeners.js'
import type { MappedDmaOptions } from './options.js'
import { MappedPeek } from './peek.js'
import { ADDRESS_END } from './region.js'
import type { Region } from './region.js'
import { removeRegions } from './region-removal.js'
import { MappedWindow } from './window.js'

/** Ranges of the protocol have 64 bits. */
const WIRE_ADDRESS_END = 2 ** 64

/**
 * The DMA manager for clients that share the memory of the guest as files, which it maps, region by region, when a
 * device first touches them. Memory without a file is reached by message. docs/dma.md explains it to device authors.
 *
 * Bus mastering is off until the function switches it on.
 */
@injectable()
export class MappedDmaManager implements DmaManager {
  readonly #options: MappedDmaOptions
  readonly #recorder: Recorder
  readonly #memory: GuestMemory
  readonly #arriving: Listeners
  readonly #leaving: Listeners
  readonly #removals = new Set<Promise<void>>()
  #fileCheck: NodeJS.Timeout | undefined = undefined
  #isClosed = false

  constructor (
    @inject(OPTIONS) options: MappedDmaOptions,
    @inject(RECORDER) recorder: Recorder,
    @inject(LOGGER) logger: Logger
  ) {
    this.#options = options
    this.#recorder = recorder
    this.#memory = new GuestMemory(options, recorder, logger)
    this.#arriving = new Listeners(logger)
    this.#leaving = new Listeners(logger)
  }

  get isBusMaster (): boolean {
    return this.#memory.isBusMaster
  }

  get regionCount (): number {
    return this.#memory.space.regionCount
  }

  /** How many DMA transfers faulted for this reason. */
  faultCount (fault: DmaFault): number {
    return this.#memory.faults.count(fault)
  }

  createLease (): DmaLease {
    return new MappedLease(this.#memory)
  }

  openWindow (iova: number, byteLength: number, access: DmaAccess): DmaWindow {
    return new MappedWindow(this.#memory, iova, byteLength, access)
  }

  createPeek (): DmaPeek {
    return new MappedPeek(this.#memory)
  }

  read (iova: number, target: Uint8Array): DmaFault | Promise<DmaFault> {
    // Short enough to become a part of every caller: see `GuestMemory.place`.
    const memory = this.#memory
    memory.place = iova
    return copyFromGuest(memory, target)
  }

  write (iova: number, source: Uint8Array): DmaFault | Promise<DmaFault> {
    const memory = this.#memory
    memory.place = iova
    return copyToGuest(memory, source)
  }

  onMap (listener: DmaListener): Subscription {
    return this.#arriving.add(listener)
  }

  onUnmap (listener: DmaListener): Subscription {
    return this.#leaving.add(listener)
  }

  async drain (): Promise<void> {
    const { leases, messages } = this.#memory
    const cutOff = await endTransfers([...leases.list, messages], this.#options.unmapDeadlineMs)
    if (cutOff > 0) leases.noticeLoss()
  }

  map (request: DmaRegion): void {
    const regionsMax = this.#isClosed ? 0 : this.#options.regionsMax
    const region = admitRegion(this.#memory, request, regionsMax)
    const { iova, byteLength, access, file, fileOffset } = region
    this.#memory.space.insert(region)
    this.#watchFiles()
    this.#recorder.record({ type: 'map', iova, byteLength, access, ...(file !== undefined && { fileOffset }) })
    this.#arriving.tell(iova, byteLength)
  }

  async unmap (iova: number, byteLength: number): Promise<number> {
    const end = iova + byteLength
    if (!isPageMultiple(iova) || !isPageMultiple(byteLength) || byteLength === 0 || !(end <= WIRE_ADDRESS_END)) {
      throw new ProtocolError(Errno.EINVAL, 'The range to unmap is empty, not made of pages, or beyond 2^64')
    }
    const regions = this.#memory.space.inside(iova, end)
    if (regions === undefined) throw new ProtocolError(Errno.EINVAL, 'The range to unmap holds only a part of a region')
    await this.#remove(regions)
    return regions.length
  }

  async unmapAll (): Promise<number> {
    const regions = this.#memory.space.inside(0, ADDRESS_END) ?? []
    await this.#remove(regions)
    return regions.length
  }

  setBusMaster (enabled: boolean): void {
    const memory = this.#memory
    if (enabled === memory.isBusMaster) return
    memory.isBusMaster = enabled
    this.#recorder.record({ type: 'bus-master', enabled })
    if (enabled) {
      this.#arriving.tell(0, ADDRESS_END)
      return
    }
    memory.cache.hideAll()
    this.#leaving.tell(0, ADDRESS_END)
    memory.cache.retireIf(() => true)
  }

  setPort (port: DmaPort | undefined): void {
    this.#memory.messages.setPort(port)
  }

  async close (): Promise<void> {
    this.#isClosed = true
    this.setPort(undefined)
    await this.unmapAll()
    await Promise.all(this.#removals)
  }

  async #remove (regions: readonly Region[]): Promise<void> {
    const context = { recorder: this.#recorder, leaving: this.#leaving, deadlineMs: this.#options.unmapDeadlineMs }
    const removal = removeRegions(this.#memory, regions, context)
    this.#removals.add(removal)
    try {
      await removal
    } finally {
      this.#removals.delete(removal)
      this.#watchFiles()
    }
  }

  /** Looks at files that can become shorter from time to time, for as long as there are any. */
  #watchFiles (): void {
    if (!this.#memory.files.canShrink) {
      clearInterval(this.#fileCheck)
      this.#fileCheck = undefined
      return
    }
    this.#fileCheck ??= setInterval(() => this.#memory.inspectFiles(), this.#options.fileCheckMs).unref()
  }
}
