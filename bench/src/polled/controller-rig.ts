import { readdirSync, readlinkSync } from 'node:fs'
import { MemoryBackend } from '@pcikit/block'
import { DmaAccess, silentLogger, silentRecorder } from '@pcikit/core'
import { MappedDmaManager, mappedDmaOptions } from '@pcikit/dma'
import { createMemoryFile, duplicateDescriptor, Mapping } from '@pcikit/native'
// The parts of a controller are no public interface. What is measured here is them and nothing around them.
import { assembleController } from '../../../packages/device-nvme/dist/controller-parts.js'
import type { ControllerParts } from '../../../packages/device-nvme/dist/controller-parts.js'
import { CommandLayout } from '../../../packages/device-nvme/dist/layouts/command.js'
import { Namespace, Namespaces } from '../../../packages/device-nvme/dist/namespace.js'
import { IoOpcode } from '../../../packages/device-nvme/dist/opcodes.js'
import { CompletionQueue } from '../../../packages/device-nvme/dist/queues/completion-queue.js'
import { SubmissionQueue } from '../../../packages/device-nvme/dist/queues/submission-queue.js'
import { BareLoop } from './bare-loop.js'

export const READ = IoOpcode.READ
export const WRITE = IoOpcode.WRITE

const KIB = 1024
const MIB = 1024 * KIB
export const BLOCK_BYTES = 512
const PAGE_BYTES = 4096
/** Entries of each ring. */
const RING_ENTRIES = 256
const COMPLETION_BYTES = 16
/** Where everything is in the file that is the guest's memory, and its address for the device. */
const IOVA = 2 ** 32
const COMPLETIONS_AT = 4 * MIB
const BARE_COMPLETIONS_AT = 8 * MIB
const LISTS_AT = 9 * MIB
const DATA_AT = 16 * MIB
const PHASE = 1 << 16
/** Visits of each page at random after which one in a thousand is missing. */
const WARM_UP_VISITS = 7

/** What the rig is made of. */
export interface RigOptions {
  readonly transferBytes: number
  /** Commands submitted at a time, up to 128. */
  readonly queueDepth: number
  readonly diskBytes?: number
  /** Queue pairs that exist, and those that are used, one after the other. */
  readonly queuePairs?: number
  readonly usedPairs?: number
  /** Regions that the guest's data is cut into, of a page each; 1: one region has all of the memory. */
  readonly regions?: number
  /** Pages that data comes from and goes to, at random. Without it each slot of the queue has its buffer. */
  readonly dataPages?: number
}

interface Pair {
  readonly submissions: SubmissionQueue
  readonly completions: CompletionQueue
  readonly submissionsAt: number
  readonly completionsAt: number
  tail: number
  phase: number
}

/**
 * A controller on a real DMA manager and a real memory back end, and its host, in this process: a batch of commands is
 * written into the ring, the doorbell is rung, and the controller has its turn.
 */
export class ControllerRig implements AsyncDisposable {
  readonly #options: RigOptions
  readonly #parts: ControllerParts
  readonly #backend: MemoryBackend
  readonly #mappings: readonly Mapping[]
  readonly #pairs: Pair[] = []
  readonly #view: DataView
  readonly #words: Uint32Array
  readonly #transfers: number
  readonly bare: BareLoop
  #current = 0
  #seed = 1

  private constructor (
    options: RigOptions,
    parts: ControllerParts,
    backend: MemoryBackend,
    guestMemory: Mapping,
    storageMemory: Mapping
  ) {
    const guest = guestMemory.window(0, guestMemory.byteLength)
    const storage = storageMemory.window(0, storageMemory.byteLength)
    touchPages(storage)
    this.#options = options
    this.#parts = parts
    this.#backend = backend
    this.#mappings = [guestMemory, storageMemory]
    this.#view = new DataView(guest)
    this.#words = new Uint32Array(guest)
    this.#transfers = Math.floor(storage.byteLength / options.transferBytes)
    this.bare = new BareLoop({
      ...{ guest, storage, iova: IOVA, blockBytes: BLOCK_BYTES, completionsAt: BARE_COMPLETIONS_AT }
    })
  }

  static create (options: RigOptions): ControllerRig {
    const diskBytes = options.diskBytes ?? 256 * MIB
    const pages = Math.max(options.dataPages ?? 0, options.queueDepth * options.transferBytes / PAGE_BYTES)
    const regions = options.regions ?? 1
    const guestBytes = DATA_AT + Math.max(pages, regions) * PAGE_BYTES
    const descriptor = createMemoryFile('bench-guest', guestBytes, { seal: true })
    const guest = Mapping.map(descriptor, 0, guestBytes, { read: true, write: true })
    const dma = new MappedDmaManager(mappedDmaOptions.parse({ regionsMax: 2 ** 17 }), silentRecorder, silentLogger)
    const map = (offset: number, byteLength: number): void => {
      const file = { fileOffset: offset, descriptor: duplicateDescriptor(descriptor) }
      dma.map({ iova: IOVA + offset, byteLength, access: DmaAccess.READ_WRITE, ...file })
    }
    map(0, regions === 1 ? guestBytes : DATA_AT)
    for (let page = 0; regions > 1 && page < regions; page++) map(DATA_AT + page * PAGE_BYTES, PAGE_BYTES)
    dma.setBusMaster(true)
    const { backend, storage } = openStorage(diskBytes)
    const queuePairs = options.queuePairs ?? 1
    const parts = assemble(dma, backend, queuePairs)
    const rig = new ControllerRig(options, parts, backend, guest, storage)
    for (let id = 1; id <= queuePairs; id++) rig.#addPair(dma, id)
    rig.#writeLists()
    // What is mapped on first use is in use, with next to no page left out.
    for (let visits = 0; visits < WARM_UP_VISITS * (options.dataPages ?? 0); visits += options.queueDepth) {
      rig.cycle(READ)
    }
    return rig
  }

  /** Gives the memory back. */
  async [Symbol.asyncDispose] (): Promise<void> {
    for (const mapping of this.#mappings) mapping.unmap()
    await this.#backend[Symbol.asyncDispose]()
  }

  /** Submits a batch and has the controller execute it. Returns the milliseconds that the controller took. */
  cycle (opcode: number): number {
    const pair = this.#pairs[this.#current]!
    this.#current = (this.#current + 1) % (this.#options.usedPairs ?? 1)
    this.#submit(pair, opcode)
    const { doorbells, scheduler } = this.#parts
    const tail = (pair.tail + this.#options.queueDepth) % RING_ENTRIES
    const startedAtMs = performance.now()
    doorbells.ringTail(pair.submissions, tail)
    while (scheduler.run() > 0) { /* A turn ends in time, whatever is left. */ }
    doorbells.ringHead(pair.completions, tail)
    const tookMs = performance.now() - startedAtMs
    this.#check(pair, tail)
    pair.tail = tail
    return tookMs
  }

  /** Submits the same to the bare loop. Returns the milliseconds that it took. */
  bareCycle (opcode: number): number {
    const pair = this.#pairs[this.#current]!
    this.#submit(pair, opcode)
    const startedAtMs = performance.now()
    this.bare.run(pair.submissionsAt, pair.tail, RING_ENTRIES, this.#options.queueDepth)
    return performance.now() - startedAtMs
  }

  /** Submits and executes nothing: what the host's side of a cycle takes. */
  hostCycle (opcode: number): number {
    const startedAtMs = performance.now()
    this.#submit(this.#pairs[this.#current]!, opcode)
    return performance.now() - startedAtMs
  }

  /** Copies as much as a batch of reads does, between the same buffers, and nothing else. */
  copyCycle (): number {
    const { queueDepth, transferBytes } = this.#options
    const startedAtMs = performance.now()
    for (let slot = 0; slot < queueDepth; slot++) {
      this.bare.copy(this.#randomTransfer() * transferBytes, DATA_AT + slot * transferBytes, transferBytes)
    }
    return performance.now() - startedAtMs
  }

  #addPair (dma: MappedDmaManager, id: number): void {
    const { queues } = this.#parts
    const submissionsAt = (id - 1) * RING_ENTRIES * CommandLayout.byteLength
    const completionsAt = COMPLETIONS_AT + (id - 1) * RING_ENTRIES * COMPLETION_BYTES
    const place = { id, iova: IOVA + completionsAt, size: RING_ENTRIES }
    const completions = new CompletionQueue(dma, place, { vector: 0, isEnabled: false })
    const submissions = new SubmissionQueue(dma, { ...place, iova: IOVA + submissionsAt }, completions)
    queues.addCompletionQueue(completions)
    queues.addSubmissionQueue(submissions)
    this.#pairs.push({ submissions, completions, submissionsAt, completionsAt, tail: 0, phase: PHASE })
  }

  /** A list for each slot of a batch, of all pages of its buffer but the first. */
  #writeLists (): void {
    const { queueDepth, transferBytes } = this.#options
    for (let slot = 0; slot < queueDepth; slot++) {
      for (let page = 1; page < transferBytes / PAGE_BYTES; page++) {
        const at = LISTS_AT + slot * PAGE_BYTES + (page - 1) * 8
        const iova = IOVA + DATA_AT + slot * transferBytes + page * PAGE_BYTES
        this.#view.setBigUint64(at, BigInt(iova), true)
      }
    }
  }

  #submit (pair: Pair, opcode: number): void {
    const { queueDepth, transferBytes, dataPages } = this.#options
    const view = this.#view
    const blocks = transferBytes / BLOCK_BYTES
    for (let slot = 0; slot < queueDepth; slot++) {
      const base = pair.submissionsAt + (pair.tail + slot) % RING_ENTRIES * CommandLayout.byteLength
      const dataAt = dataPages === undefined ? slot * transferBytes : this.#random(dataPages) * PAGE_BYTES
      CommandLayout.opcode.set(view, base, opcode)
      CommandLayout.cid.set(view, base, slot)
      CommandLayout.nsid.set(view, base, 1)
      CommandLayout.prp1.set(view, base, IOVA + DATA_AT + dataAt)
      CommandLayout.prp2.set(view, base, transferBytes > PAGE_BYTES ? IOVA + LISTS_AT + slot * PAGE_BYTES : 0)
      CommandLayout.cdw10.set(view, base, this.#randomTransfer() * blocks)
      CommandLayout.cdw12.set(view, base, blocks - 1)
    }
  }

  /** Every command must have completed with success. */
  #check (pair: Pair, tail: number): void {
    for (let head = pair.tail; head !== tail; head = (head + 1) % RING_ENTRIES) {
      const status = Atomics.load(this.#words, (pair.completionsAt + head * COMPLETION_BYTES + 12) >>> 2) & ~0xffff
      if (status !== pair.phase) throw new Error(`A command did not complete well: ${status.toString(16)}.`)
      if (head === RING_ENTRIES - 1) pair.phase ^= PHASE
    }
  }

  #randomTransfer (): number {
    return this.#random(this.#transfers)
  }

  #random (end: number): number {
    this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0
    return Math.floor(this.#seed / 0x1_0000_0000 * end)
  }
}

/** A back end that was written everywhere, and its memory: a memory file can be mapped a second time. */
function openStorage (diskBytes: number): { readonly backend: MemoryBackend, readonly storage: Mapping } {
  const before = storageFiles()
  const backend = MemoryBackend.open(diskBytes, { blockSize: BLOCK_BYTES })
  const descriptor = storageFiles().find(each => !before.includes(each))
  if (descriptor === undefined) throw new Error('The memory of the back end is not to be found.')
  const part = new Uint8Array(MIB).fill(7)
  for (let at = 0; at < diskBytes; at += MIB) backend.write(at / BLOCK_BYTES, part)
  return { backend, storage: Mapping.map(descriptor, 0, diskBytes, { read: true, write: true }) }
}

/** The first access to a page costs more than a command. */
function touchPages (buffer: ArrayBuffer): void {
  const bytes = new Uint8Array(buffer)
  for (let at = 0; at < bytes.length; at += PAGE_BYTES) bytes[at] = bytes[at]!
}

function storageFiles (): number[] {
  return readdirSync('/proc/self/fd').map(Number).filter(descriptor => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).includes('memfd:pcikit-block')
    } catch {
      return false
    }
  })
}

function assemble (dma: MappedDmaManager, backend: MemoryBackend, queuePairs: number): ControllerParts {
  const namespace = new Namespace({ id: 1, backend, uuid: new Uint8Array(16) })
  const parts = assembleController({
    dma,
    logger: silentLogger,
    faultPolicy: 'fault',
    graceMs: 1000,
    shadowWatchMs: 0.1,
    poller: { turnMs: 0.5, idleMs: 2, backOffMs: 8 },
    moderatesInterrupts: true,
    interrupts: { mode: 'none', vectorCount: 0, trigger: () => undefined, setIntx: () => undefined },
    namespaces: new Namespaces([namespace], 1),
    limits: { queues: queuePairs, entries: 1024, vectors: 1 },
    identity: {
      vendorId: 0,
      subsystemVendorId: 0,
      serial: '',
      model: '',
      firmware: '',
      subsystemNqn: '',
      controllerId: 0,
      transferBytesMax: MIB,
      hasVolatileCache: false,
      supportsDiscard: false,
      hasDoorbellBuffers: true
    }
  }, { onFatal: () => undefined, onDoorbellReset: () => undefined })
  parts.scheduler.isDriven = true
  return parts
}
