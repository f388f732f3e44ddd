import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { buildPrps, DataBuffer, doorbellOffset } from '@pcikit/testkit'
import type { GuestFile, GuestMemory, NvmeDriver, RegionAccess } from '@pcikit/testkit'
import { struct, u16, u32, u64, u8 } from '@pcikit/wire'

const QUEUE_ID = 1
const READ = 2
const BLOCK_BYTES = 512
const PHASE = 1 << 16

/** What of a command is not zero in a read. [NVMe-Base] "Submission Queue Entry". */
const Sqe = struct('Sqe', 64, {
  ...{ opcode: u8(0), cid: u16(2), nsid: u32(4), prp1: u64(24), prp2: u64(32), cdw10: u32(40), cdw12: u32(48) }
})
const CQE_BYTES = 16
const IDLE_TURNS_MAX = 100

/** What a guest needs to have for it: an enabled controller. */
export interface LoadedGuest {
  readonly client: RegionAccess
  readonly memory: GuestMemory
  readonly driver: NvmeDriver
}

/** What is read, and to where. */
export interface ReadLoadOptions {
  readonly queueDepth: number
  readonly byteLength: number
  readonly diskBytes: number
  /** Where the buffers of all commands lie, one behind the other. */
  readonly iova: number
}

/**
 * Keeps a queue full of reads at next to no cost: the commands stand in the ring from the start, and for each that
 * completed, well or not, the tail moves on by one. Which one it was does not matter to a load.
 */
export class ReadLoad {
  /** How many commands completed, well or not. */
  completed = 0
  readonly #guest: LoadedGuest
  readonly #options: ReadLoadOptions
  readonly #size: number
  readonly #completions: { readonly file: GuestFile, readonly position: number }
  #tail = 0
  #head = 0
  #phase = PHASE
  #inFlight = 0
  #running: Promise<void> | undefined = undefined
  #isWanted = false

  private constructor (guest: LoadedGuest, options: ReadLoadOptions, completionIova: number) {
    this.#guest = guest
    this.#options = options
    this.#size = 2 * options.queueDepth
    this.#completions = guest.memory.locate(completionIova, this.#size * CQE_BYTES)
  }

  static async create (guest: LoadedGuest, options: ReadLoadOptions): Promise<ReadLoad> {
    const { memory, driver: { admin } } = guest
    const depth = 2 * options.queueDepth
    const completionIova = memory.allocate(depth * CQE_BYTES)
    const submissionIova = memory.allocate(depth * Sqe.byteLength)
    await admin.createCompletionQueue({ id: QUEUE_ID, iova: completionIova, depth })
    await admin.createSubmissionQueue({ id: QUEUE_ID, iova: submissionIova, depth, cqid: QUEUE_ID })
    const load = new ReadLoad(guest, options, completionIova)
    for (let slot = 0; slot < depth; slot++) load.#putCommand(submissionIova, slot)
    return load
  }

  start (): void {
    this.#isWanted = true
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  /** Resolves when the last command is back. */
  async stop (): Promise<void> {
    this.#isWanted = false
    await this.#running
  }

  /** Keeps the queue full until so many commands are completed. */
  async take (count: number): Promise<void> {
    const enough = this.completed + count
    this.start()
    while (this.completed < enough) await nextTurn()
    await this.stop()
  }

  #putCommand (ring: number, slot: number): void {
    const { memory } = this.#guest
    const { byteLength, queueDepth, diskBytes, iova } = this.#options
    const blockCount = byteLength / BLOCK_BYTES
    const { file, position } = memory.locate(ring + slot * Sqe.byteLength, Sqe.byteLength)
    const buffer = DataBuffer.at(memory, iova + slot % queueDepth * byteLength, byteLength)
    const { prp1, prp2 } = buildPrps(memory, buffer, {})
    Sqe.opcode.set(file.view, position, READ)
    Sqe.cid.set(file.view, position, slot)
    Sqe.nsid.set(file.view, position, 1)
    Sqe.prp1.set(file.view, position, prp1)
    Sqe.prp2.set(file.view, position, prp2)
    Sqe.cdw10.set(file.view, position, slot * blockCount % (diskBytes / BLOCK_BYTES))
    Sqe.cdw12.set(file.view, position, blockCount - 1)
  }

  async #run (): Promise<void> {
    for (let idleTurns = 0; this.#isWanted || this.#inFlight > 0; idleTurns++) {
      if (this.#reap()) {
        idleTurns = 0
        await this.#ring('cq', this.#head)
      }
      const missing = this.#isWanted ? this.#options.queueDepth - this.#inFlight : 0
      if (missing > 0) await this.#submit(missing)
      // Who never sleeps is left waiting by the system where the processors are busy.
      await (idleTurns < IDLE_TURNS_MAX ? nextTurn() : delay(1))
    }
  }

  #submit (count: number): Promise<void> {
    this.#inFlight += count
    this.#tail = (this.#tail + count) % this.#size
    return this.#ring('sq', this.#tail)
  }

  #reap (): boolean {
    const { file, position } = this.#completions
    let count = 0
    while (((Atomics.load(file.words, (position + this.#head * CQE_BYTES + 12) >>> 2) ^ this.#phase) & PHASE) === 0) {
      count++
      this.#head = (this.#head + 1) % this.#size
      if (this.#head === 0) this.#phase ^= PHASE
    }
    this.#inFlight -= count
    this.completed += count
    return count > 0
  }

  #ring (kind: 'sq' | 'cq', value: number): Promise<void> {
    const stride = this.#guest.driver.capabilities.doorbellStride
    const data = new Uint8Array(Uint32Array.of(value).buffer)
    return this.#guest.client.writeRegion(0, doorbellOffset(kind, QUEUE_ID, stride), data, { posted: true })
  }
}
