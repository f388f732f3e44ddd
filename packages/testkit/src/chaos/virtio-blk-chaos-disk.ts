import type { DataBuffer } from '../guest/data-buffer.js'
import type { PciDriver } from '../pci/pci-driver.js'
import { ID_BYTES, VirtioBlkFeature, VirtioBlkRequest, VirtioBlkStatus } from '../virtio/blk-layouts.js'
import { VirtioFeature } from '../virtio/layouts.js'
import type { VirtioBlkDriver } from '../virtio/virtio-blk-driver.js'
import { encodeSegments, NO_STATUS } from '../virtio/virtio-blk-queue.js'
import type { BlkAnswer, BlkFraming, BlkRequest, VirtioBlkQueue } from '../virtio/virtio-blk-queue.js'
import type { BlockRun } from './block-model.js'
import type { ChaosDisk, ChaosOutcome, ChaosQueue } from './chaos-disk.js'
import type { ChaosRandom } from './chaos-random.js'

/** What the disk is reached with. Its blocks are sectors of 512 bytes. */
export interface VirtioBlkChaosDiskOptions {
  readonly driver: VirtioBlkDriver
  readonly pci: PciDriver
  /** Queues, 2 unless given. */
  readonly queueCount?: number
  /** Entries of a queue, 256 unless given. From 512 on they span pages, which may end up in different regions. */
  readonly queueEntries?: number
  /** Features that are never negotiated. */
  readonly without?: readonly number[]
}

const STATUS_RESET = 'device_status = 0'
const QUEUE_ENTRIES = 256
/** Each is negotiated in three starts of four. */
const FICKLE: readonly number[] = [
  VirtioFeature.RING_PACKED,
  VirtioFeature.INDIRECT_DESC,
  VirtioFeature.EVENT_IDX,
  VirtioFeature.IN_ORDER,
  VirtioFeature.NOTIFICATION_DATA
]
/** How requests are framed: as drivers do it, and as nobody does but everybody may. */
const FRAMINGS: readonly BlkFraming[] = [
  {},
  { joinHeader: true, joinStatus: true },
  { cut: [1500] },
  { cut: [7, 4000, 513] },
  { joinHeader: true, cut: [15, 8000] }
]

/** A virtio block device, for {@link BlockChaosLoad}: each start negotiates something else. */
export class VirtioBlkChaosDisk implements ChaosDisk {
  readonly resets: readonly string[] = [STATUS_RESET]
  readonly alignmentBytes = 1
  readonly #options: VirtioBlkChaosDiskOptions
  #queues: readonly ChaosQueue[] = []

  constructor (options: VirtioBlkChaosDiskOptions) {
    this.#options = options
  }

  get queues (): readonly ChaosQueue[] {
    return this.#queues
  }

  get anomalies (): readonly string[] {
    return this.#options.driver.device.anomalies
  }

  async reset (): Promise<void> {
    await this.#options.driver.device.common.reset()
  }

  async start (random: ChaosRandom): Promise<void> {
    const { driver, pci, queueCount = 2, queueEntries = QUEUE_ENTRIES, without = [] } = this.#options
    await pci.enable()
    const refused = FICKLE.filter(() => random.chance(0.25))
    const queues = await driver.start({
      features: { without: [...without, ...refused] },
      queues: queueCount,
      size: queueEntries
    })
    const canBeIndirect = driver.has(VirtioFeature.INDIRECT_DESC)
    const hasZeroes = driver.has(VirtioBlkFeature.WRITE_ZEROES)
    this.#queues = queues.map(queue => new VirtioBlkChaosQueue(queue, random.fork(), canBeIndirect, hasZeroes))
  }

  abandon (reason: string): void {
    this.#options.driver.device.abandon(reason)
  }
}

class VirtioBlkChaosQueue implements ChaosQueue {
  readonly #queue: VirtioBlkQueue
  readonly #random: ChaosRandom
  readonly #canBeIndirect: boolean
  readonly #hasZeroes: boolean

  constructor (queue: VirtioBlkQueue, random: ChaosRandom, canBeIndirect: boolean, hasZeroes: boolean) {
    this.#queue = queue
    this.#random = random
    this.#canBeIndirect = canBeIndirect
    this.#hasZeroes = hasZeroes
  }

  read ({ slba }: BlockRun, buffer: DataBuffer): Promise<ChaosOutcome> {
    return this.#submit({ type: VirtioBlkRequest.IN, sector: slba, in: buffer })
  }

  write ({ slba }: BlockRun, buffer: DataBuffer): Promise<ChaosOutcome> {
    return this.#submit({ type: VirtioBlkRequest.OUT, sector: slba, out: buffer })
  }

  zeroes ({ slba, blockCount }: BlockRun): Promise<ChaosOutcome> {
    if (!this.#hasZeroes) {
      const out = new Uint8Array(blockCount * 512)
      return this.#submit({ type: VirtioBlkRequest.OUT, sector: slba, out })
    }
    const out = encodeSegments([{ sector: slba, sectorCount: blockCount, unmap: this.#random.chance(0.5) }])
    return this.#submit({ type: VirtioBlkRequest.WRITE_ZEROES, out })
  }

  flush (): Promise<ChaosOutcome> {
    return this.#submit({ type: VirtioBlkRequest.FLUSH })
  }

  async identify (): Promise<ChaosOutcome> {
    const answer = await this.#queue.submit({ type: VirtioBlkRequest.GET_ID, in: ID_BYTES, framing: this.#frame() })
    const outcome = outcomeOf(answer)
    // The memory of the string is full of 0xee before: whatever is left of it was not written.
    if (outcome === 'success' && answer.data.includes(NO_STATUS)) throw new Error('The device ID was not written.')
    return outcome
  }

  async #submit (request: BlkRequest): Promise<ChaosOutcome> {
    return outcomeOf(await this.#queue.submit({ ...request, framing: this.#frame() }))
  }

  #frame (): BlkFraming {
    const framing = this.#random.pick(FRAMINGS)
    return this.#canBeIndirect && this.#random.chance(0.6) ? { ...framing, indirect: true } : framing
  }
}

/** A status that was not written had no memory either. */
function outcomeOf ({ status }: BlkAnswer): ChaosOutcome {
  if (status === VirtioBlkStatus.OK) return 'success'
  const isMemoryFault = status === VirtioBlkStatus.IOERR || status === NO_STATUS
  return isMemoryFault ? 'memory fault' : `status ${status}`
}
