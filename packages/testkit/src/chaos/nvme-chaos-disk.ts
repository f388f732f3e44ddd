import type { DataBuffer } from '../guest/data-buffer.js'
import type { GuestMemory } from '../guest/guest-memory.js'
import type { IoQueue } from '../nvme/io-queue.js'
import { AdminOpcode, Cns, IoOpcode, Property } from '../nvme/layouts.js'
import type { NvmeDriver } from '../nvme/nvme-driver.js'
import { NvmeStatusCode, statusCode } from '../nvme/status.js'
import type { NvmeCompletion } from '../nvme/status.js'
import type { PciDriver } from '../pci/pci-driver.js'
import type { BlockRun } from './block-model.js'
import type { ChaosDisk, ChaosOutcome, ChaosQueue } from './chaos-disk.js'
import type { ChaosRandom } from './chaos-random.js'

/** What the disk is reached with. */
export interface NvmeChaosDiskOptions {
  readonly driver: NvmeDriver
  readonly pci: PciDriver
  readonly memory: GuestMemory
  /** I/O queue pairs, 2 unless given. */
  readonly queueCount?: number
}

const CC_EN_RESET = 'CC.EN = 0'
const READY_TIMEOUT_MS = 20_000
const PAGE_BYTES = 4096
/** The second byte of OACS, and its bit for Doorbell Buffer Config. [NVMe-Base] "Identify Controller". */
const OACS_HIGH_AT = 257
const DOORBELL_BUFFERS = 1
/** Entries of a queue: an entry is 64 bytes, so a queue spans two pages, which may end up in different regions. */
const QUEUE_ENTRIES = 128

interface QueuePlace {
  readonly submissionIova: number
  readonly completionIova: number
}

/** Namespace 1 of an NVMe controller, for {@link BlockChaosLoad}. */
export class NvmeChaosDisk implements ChaosDisk {
  readonly resets: readonly string[] = [CC_EN_RESET]
  readonly alignmentBytes = 4
  readonly #options: NvmeChaosDiskOptions
  readonly #places: readonly QueuePlace[]
  #queues: readonly ChaosQueue[] = []

  constructor (options: NvmeChaosDiskOptions) {
    this.#options = options
    this.#places = Array.from({ length: options.queueCount ?? 2 }, () => ({
      submissionIova: options.memory.allocate(QUEUE_ENTRIES * 64),
      completionIova: options.memory.allocate(QUEUE_ENTRIES * 16)
    }))
  }

  get queues (): readonly ChaosQueue[] {
    return this.#queues
  }

  get anomalies (): readonly string[] {
    return this.#options.driver.anomalies
  }

  async reset (): Promise<void> {
    const { registers } = this.#options.driver
    await registers.write32(Property.CC, 0)
    await registers.waitReady(false, READY_TIMEOUT_MS)
  }

  async start (random: ChaosRandom): Promise<void> {
    const { driver, pci } = this.#options
    await pci.enable()
    await driver.enable()
    await driver.admin.setQueueCount(this.#places.length)
    const queues: ChaosQueue[] = []
    for (const [index, place] of this.#places.entries()) {
      const queue = await driver.createQueuePair({ id: index + 1, depth: QUEUE_ENTRIES, ...place })
      queues.push(new NvmeChaosQueue(driver, queue))
    }
    this.#queues = queues
    const isOffered = ((await driver.admin.identify(Cns.CONTROLLER))[OACS_HIGH_AT]! & DOORBELL_BUFFERS) !== 0
    if (isOffered && random.chance(0.75)) await driver.configureDoorbellBuffers()
  }

  abandon (reason: string): void {
    this.#options.driver.abandon(reason)
  }
}

class NvmeChaosQueue implements ChaosQueue {
  readonly #driver: NvmeDriver
  readonly #queue: IoQueue

  constructor (driver: NvmeDriver, queue: IoQueue) {
    this.#driver = driver
    this.#queue = queue
  }

  read (run: BlockRun, buffer: DataBuffer): Promise<ChaosOutcome> {
    return this.#transfer(IoOpcode.READ, run, buffer)
  }

  write (run: BlockRun, buffer: DataBuffer): Promise<ChaosOutcome> {
    return this.#transfer(IoOpcode.WRITE, run, buffer)
  }

  compare (run: BlockRun, buffer: DataBuffer): Promise<ChaosOutcome> {
    return this.#transfer(IoOpcode.COMPARE, run, buffer)
  }

  async zeroes ({ slba, blockCount }: BlockRun): Promise<ChaosOutcome> {
    const command = { opcode: IoOpcode.WRITE_ZEROES, nsid: 1, cdw10: slba, cdw12: blockCount - 1 }
    return outcomeOf(await this.#queue.submit(command))
  }

  async flush (): Promise<ChaosOutcome> {
    return outcomeOf(await this.#queue.submit({ opcode: IoOpcode.FLUSH, nsid: 1 }))
  }

  async identify (): Promise<ChaosOutcome> {
    const command = { opcode: AdminOpcode.IDENTIFY, nsid: 0, cdw10: Cns.CONTROLLER }
    const [completion, data] = await this.#driver.admin.submitWithData(command, PAGE_BYTES)
    const outcome = outcomeOf(completion)
    // CNTRLTYPE, and bytes at the end that are reserved for vendors and here zero: all of it was written.
    if (outcome === 'success' && (data[111] === 0xee || data[PAGE_BYTES - 1] === 0xee)) {
      throw new Error('Identify did not write all of its data.')
    }
    return outcome
  }

  async #transfer (opcode: number, run: BlockRun, buffer: DataBuffer): Promise<ChaosOutcome> {
    return outcomeOf(await this.#queue.submitTransfer(opcode, { ...run, nsid: 1, buffer }))
  }
}

function outcomeOf (completion: NvmeCompletion): ChaosOutcome {
  const status = statusCode(completion)
  if (status === NvmeStatusCode.SUCCESS) return 'success'
  return status === NvmeStatusCode.DATA_TRANSFER_ERROR ? 'memory fault' : `status 0x${status.toString(16)}`
}
