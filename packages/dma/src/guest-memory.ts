import { DmaAccess, DmaFault } from '@pcikit/core'
import type { Logger, Recorder } from '@pcikit/core'
import { mappingFaultCount } from '@pcikit/native'
import { BouncePool } from './bounce-pool.js'
import { ClientMessages } from './client-messages.js'
import { FaultLog } from './fault-log.js'
import { IovaSpace } from './iova-space.js'
import type { Chunk, MappedPages } from './mapped-pages.js'
import { OpenLeases } from './open-leases.js'
import type { MappedDmaOptions } from './options.js'
import { PageCache } from './page-cache.js'
import type { RecentChunks } from './recent-chunks.js'
import { ADDRESS_END } from './region.js'
import type { Region } from './region.js'
import { FileTable } from './shared-file.js'

/** What leases, windows and copies share: which memory is behind an address now, or why there is none. */
export class GuestMemory {
  readonly space = new IovaSpace()
  readonly files = new FileTable()
  readonly leases: OpenLeases
  readonly cache: PageCache
  /** Of the cache. After `locate`: the memory at `place`. */
  readonly recent: RecentChunks
  readonly bounce: BouncePool
  readonly faults: FaultLog
  readonly messages: ClientMessages
  isBusMaster = false
  /**
   * Where the next range begins that is copied or looked for. An address is too large for a small integer, so that as
   * an argument of a call it is an object, and a million commands leave millions of them. As a field it is not.
   */
  place = 0
  /** Why the last `reach` or `chunkAt` found nothing. */
  fault: DmaFault = DmaFault.NONE
  readonly #logger: Logger
  #faultsSeen = 0

  constructor (options: MappedDmaOptions, recorder: Recorder, logger: Logger) {
    this.cache = new PageCache(options.mappingsMax)
    this.recent = this.cache.recent
    this.leases = new OpenLeases(logger, pages => this.cache.retire(pages))
    this.bounce = new BouncePool(options.bounceBytesMax)
    this.faults = new FaultLog(recorder, logger)
    this.messages = new ClientMessages(logger, () => this.isBusMaster)
    this.#logger = logger
  }

  /** Why a range as such cannot be reached, whatever is mapped. */
  refusal (iova: number, byteLength: number): DmaFault {
    if (!this.isBusMaster) return DmaFault.BUS_MASTER_OFF
    if (!(byteLength <= ADDRESS_END - iova)) return DmaFault.OUT_OF_RANGE
    return DmaFault.NONE
  }

  /**
   * Has `recent` find a whole range, from `place` on, in the frequent case, in which it lies in one chunk that is
   * mapped already. False means nothing: whoever asks looks piece by piece.
   */
  locate (byteLength: number, access: DmaAccess): boolean {
    const { recent, place } = this
    if (!recent.find(place) && !this.#search(place)) return false
    return byteLength <= recent.limit - place && (recent.access & access) === access
  }

  /** Where `place` is in the bytes that were found. A chunk is short enough for a small integer. */
  get offset (): number {
    return (this.place - this.recent.iova) | 0
  }

  /** The region around an address, if it can be reached there in this way. Otherwise `fault` says why not. */
  reach (iova: number, access: DmaAccess): Region | undefined {
    const region = this.space.find(iova)
    if (region === undefined) return this.#refuse(DmaFault.UNMAPPED)
    if ((region.access & access) !== access) return this.#refuse(deniedBy(region.access, access))
    if (iova >= region.reachableEnd && !this.#hasGrown(region, iova)) return this.#refuse(DmaFault.PAST_END_OF_FILE)
    if (region.file === undefined && !this.messages.isConnected) return this.#refuse(DmaFault.PEER_FAILED)
    return region
  }

  /** The first address of a range that cannot be reached in this way; its end if there is none. */
  reachableUntil (iova: number, end: number, access: DmaAccess): number {
    this.fault = DmaFault.NONE
    let at = iova
    while (at < end) {
      const region = this.reach(at, access)
      if (region === undefined) return at
      at = region.reachableEnd
    }
    return end
  }

  /** The arrays over the memory of a region with a file, mapped now if need be. Undefined: see `fault`. */
  chunkAt (region: Region, iova: number): Chunk | undefined {
    const pages = region.pages ?? this.#open(region)
    if (pages === undefined) return this.#refuse(DmaFault.UNMAPPED)
    pages.wasUsed = true
    return pages.chunkAt(iova)
  }

  /**
   * Looks whether files became shorter than they were, and takes back what was derived from their size. Until then the
   * guard of the native addon keeps accesses from ending the process: they read zeroes.
   */
  inspectFiles (): void {
    const faults = mappingFaultCount()
    const shrunk = this.files.takeShrunk()
    if (faults === this.#faultsSeen && shrunk.size === 0) return
    this.#faultsSeen = faults
    const isLost = (pages: MappedPages): boolean => {
      const { file } = pages.region
      return file !== undefined && file.canShrink && (shrunk.has(file) || pages.isFaulted)
    }
    this.cache.retireIf(isLost)
    this.leases.noticeLoss()
  }

  /**
   * Whether memory may have been missing under an access since the files were looked at last. If not, all of what was
   * found before the access was there.
   */
  get mayHaveLost (): boolean {
    return this.files.canShrink && (this.files.hasShrunk || mappingFaultCount() !== this.#faultsSeen)
  }

  #search (iova: number): boolean {
    const chunk = this.isBusMaster ? this.space.find(iova)?.pages?.chunkAt(iova) : undefined
    if (chunk === undefined) return false
    chunk.pages.wasUsed = true
    this.recent.add(iova, chunk, this.space.regionCount)
    return true
  }

  #hasGrown (region: Region, iova: number): boolean {
    if (region.file !== undefined) this.files.refresh(region.file)
    return iova < region.reachableEnd
  }

  #open (region: Region): MappedPages | undefined {
    if (region.file === undefined) return undefined
    try {
      return this.cache.open(region, region.file)
    } catch (error) {
      // Out of mappings or of kernel memory, most likely. The next command finds some that were given up now.
      this.#logger.error({ err: error, iova: region.iova }, 'The system refused to map memory that the client shares.')
      this.cache.retireIf(pages => pages.inFlight.count === 0)
      return undefined
    }
  }

  #refuse (fault: DmaFault): undefined {
    this.fault = fault
    return undefined
  }
}

function deniedBy (allowed: DmaAccess, wanted: DmaAccess): DmaFault {
  return (wanted & ~allowed & DmaAccess.WRITE) !== 0 ? DmaFault.NOT_WRITABLE : DmaFault.NOT_READABLE
}
