import { FaultPolicy, silentLogger } from '@pcikit/core'
import { NvmeController } from '../../src/controller.js'
import { DOORBELL_FILE_BYTES, DoorbellPage } from '../../src/doorbell-page.js'
import { CommandLayout } from '../../src/layouts/command.js'
import { Namespace, Namespaces } from '../../src/namespace.js'
import { AdminOpcode } from '../../src/opcodes.js'
import { FakeBackend } from './fake-backend.js'
import { FakeDmaSpace } from './fake-dma-space.js'
import { FakeInterrupts } from './fake-interrupts.js'

/** Where things are in the guest memory of the harness. */
export const MEMORY_BYTES = 0x40_0000
export const ADMIN_SQ = 0x1_0000
export const ADMIN_CQ = 0x2_0000
export const IO_SQ = 0x3_0000
export const IO_CQ = 0x4_0000
export const DATA = 0x10_0000
export const PAGE = 0x1000

/** The fields of a command that a test sets; the others are zero. */
export interface CommandFields {
  readonly opcode: number
  readonly flags?: number
  readonly cid?: number
  readonly nsid?: number
  readonly prp1?: number
  readonly prp2?: number
  readonly cdw10?: number
  readonly cdw11?: number
  readonly cdw12?: number
  readonly cdw13?: number
}

/** One completion as the host reads it. */
export interface CompletionFields {
  readonly result: number
  readonly sqhd: number
  readonly sqid: number
  readonly cid: number
  /** SCT and SC. */
  readonly status: number
  readonly isFinal: boolean
}

export interface HarnessOptions {
  readonly backends?: readonly FakeBackend[]
  readonly isShared?: boolean
  readonly queues?: number
  readonly entries?: number
  readonly vectors?: number
  readonly maxTransfer?: number
  readonly graceMs?: number
  readonly faultPolicy?: FaultPolicy
  readonly mmap?: boolean
  readonly shadowWatchMs?: number
  readonly moderatesInterrupts?: boolean
  /** No memory is mapped. */
  readonly bare?: boolean
}

/** A pair of queues as the host keeps it. */
export class HostQueue {
  readonly harness: Harness
  readonly id: number
  readonly sq: number
  readonly cq: number
  readonly size: number
  readonly cqId: number
  tail = 0
  head = 0
  phase = 1
  nextCid = 1

  constructor (harness: Harness, id: number, place: { sq: number, cq: number, size: number, cqId?: number }) {
    this.harness = harness
    this.id = id
    this.sq = place.sq
    this.cq = place.cq
    this.size = place.size
    this.cqId = place.cqId ?? id
  }

  /** Puts a command in the ring without a doorbell, and returns its CID. */
  put (fields: CommandFields): number {
    const cid = fields.cid ?? this.nextCid++
    const base = this.sq + this.tail * 64
    this.harness.bytes.fill(0, base, base + 64)
    const view = this.harness.view
    for (const [name, value] of Object.entries({ ...fields, cid })) {
      CommandLayout[name as keyof CommandFields].set(view, base, value)
    }
    this.tail = (this.tail + 1) % this.size
    return cid
  }

  ring (): void {
    this.harness.writeDoorbell(this.id * 2, this.tail)
  }

  /** The next completion, if it is there. */
  peek (): CompletionFields | undefined {
    const view = this.harness.view
    const base = this.cq + this.head * 16
    const word = view.getUint32(base + 12, true)
    if (((word >>> 16) & 1) !== this.phase) return undefined
    return {
      result: view.getUint32(base, true),
      sqhd: view.getUint16(base + 8, true),
      sqid: view.getUint16(base + 10, true),
      cid: word & 0xffff,
      status: (word >>> 17) & 0x7ff,
      isFinal: word >>> 31 === 1
    }
  }

  /** Takes the next completion, if it is there, without ringing. */
  take (): CompletionFields | undefined {
    const completion = this.peek()
    if (completion === undefined) return undefined
    this.head = (this.head + 1) % this.size
    if (this.head === 0) this.phase ^= 1
    return completion
  }

  acknowledge (): void {
    this.harness.writeDoorbell(this.cqId * 2 + 1, this.head)
  }

  /** Waits for the next completion and acknowledges it. */
  async next (): Promise<CompletionFields> {
    for (let turn = 0; turn < 10_000; turn++) {
      const completion = this.take()
      if (completion !== undefined) {
        this.acknowledge()
        return completion
      }
      await nextTurn()
    }
    throw new Error(`no completion in queue ${this.cqId}`)
  }

  /** Submits one command and waits for its end. */
  async run (fields: CommandFields): Promise<CompletionFields> {
    this.put(fields)
    this.ring()
    return this.next()
  }
}

/** A controller over fakes, and a host that drives it. */
export class Harness {
  readonly dma = new FakeDmaSpace()
  readonly interrupts = new FakeInterrupts()
  readonly backends: readonly FakeBackend[]
  readonly controller: NvmeController
  readonly admin: HostQueue
  readonly page: Uint32Array | undefined
  bytes: Uint8Array
  view: DataView

  constructor (options: HarnessOptions = {}) {
    this.backends = options.backends ?? [new FakeBackend()]
    this.bytes = options.bare === true ?
      new Uint8Array(MEMORY_BYTES) :
      this.dma.map(0, MEMORY_BYTES, { isShared: options.isShared ?? true })
    this.view = new DataView(this.bytes.buffer)
    const namespaces = this.backends.map((backend, index) =>
      new Namespace({ id: index + 1, backend, uuid: new Uint8Array(16).fill(index + 1) })
    )
    const file = new Uint8Array(DOORBELL_FILE_BYTES)
    const page = options.mmap === true ? new DoorbellPage({ descriptor: 99, bytes: file, close: () => {} }) : undefined
    this.page = options.mmap === true ? new Uint32Array(file.buffer, 0x1000) : undefined
    this.controller = new NvmeController({
      dma: this.dma,
      interrupts: this.interrupts,
      logger: silentLogger,
      namespaces: new Namespaces(namespaces, 32),
      limits: { queues: options.queues ?? 4, entries: options.entries ?? 1024, vectors: options.vectors ?? 65 },
      graceMs: options.graceMs ?? 60_000,
      shadowWatchMs: options.shadowWatchMs ?? 1,
      poller: { turnMs: 0.5, idleMs: 2, backOffMs: 8 },
      moderatesInterrupts: options.moderatesInterrupts ?? false,
      faultPolicy: options.faultPolicy ?? FaultPolicy.FAULT,
      identity: {
        vendorId: 0x1234,
        subsystemVendorId: 0x1234,
        serial: 'SERIAL',
        model: 'MODEL',
        firmware: '1.0',
        subsystemNqn: 'nqn.2014-08.org.nvmexpress:uuid:00000000-0000-0000-0000-000000000000',
        controllerId: 0,
        transferBytesMax: options.maxTransfer ?? 1024 * 1024,
        hasVolatileCache: this.backends.some(backend => backend.hasVolatileCache),
        supportsDiscard: this.backends.some(backend => backend.supportsDiscard),
        hasDoorbellBuffers: options.mmap !== true
      }
    }, page)
    this.admin = new HostQueue(this, 0, { sq: ADMIN_SQ, cq: ADMIN_CQ, size: 32 })
  }

  read32 (offset: number): number {
    return this.controller.read(offset)
  }

  write32 (offset: number, value: number): void {
    this.controller.write(offset, value, 0xffff_ffff)
  }

  writeDoorbell (number: number, value: number): void {
    if (this.page !== undefined) Atomics.store(this.page, number, value)
    else this.write32(0x1000 + number * 4, value)
  }

  /** Sets the admin queues up and enables the controller. */
  async enable (options: { aqa?: number, asq?: number, acq?: number, cc?: number } = {}): Promise<void> {
    this.write32(0x24, options.aqa ?? (31 << 16 | 31))
    this.write32(0x28, options.asq ?? ADMIN_SQ)
    this.write32(0x2c, 0)
    this.write32(0x30, options.acq ?? ADMIN_CQ)
    this.write32(0x34, 0)
    this.write32(0x14, options.cc ?? 0x0046_0001)
    for (let turn = 0; turn < 1000 && (this.read32(0x1c) & 3) === 0; turn++) await nextTurn()
  }

  /** Clears CC.EN and waits for CSTS.RDY to drop. */
  async disable (): Promise<void> {
    this.write32(0x14, this.read32(0x14) & ~1)
    for (let turn = 0; turn < 1000 && (this.read32(0x1c) & 1) === 1; turn++) await nextTurn()
    this.admin.tail = this.admin.head = 0
    this.admin.phase = 1
    this.bytes.fill(0, ADMIN_CQ, ADMIN_CQ + 32 * 16)
  }

  async createCompletionQueue (id: number, iova: number, size: number, vector = id): Promise<CompletionFields> {
    const cdw11 = (vector << 16 | 3) >>> 0
    return this.admin.run({ opcode: AdminOpcode.CREATE_IO_CQ, prp1: iova, cdw10: ((size - 1) << 16 | id) >>> 0, cdw11 })
  }

  async createSubmissionQueue (id: number, iova: number, size: number, cqId = id): Promise<CompletionFields> {
    const cdw11 = (cqId << 16 | 1) >>> 0
    return this.admin.run({ opcode: AdminOpcode.CREATE_IO_SQ, prp1: iova, cdw10: ((size - 1) << 16 | id) >>> 0, cdw11 })
  }

  /** Enables the controller and creates a pair of I/O queues. */
  async start (size = 64): Promise<HostQueue> {
    await this.enable()
    await this.createCompletionQueue(1, IO_CQ, size)
    await this.createSubmissionQueue(1, IO_SQ, size)
    return new HostQueue(this, 1, { sq: IO_SQ, cq: IO_CQ, size })
  }
}

export function nextTurn (): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
