import type { MemoryBackend } from '@pcikit/block'
import { silentLogger } from '@pcikit/core'
import type { MappedDmaManager } from '@pcikit/dma'
import { EventLoop } from '@pcikit/native'
// The parts of a controller are no public interface. What is measured here is them and nothing around them.
import { assembleController } from '../../../packages/device-nvme/dist/controller-parts.js'
import type { ControllerParts } from '../../../packages/device-nvme/dist/controller-parts.js'
import { CommandLayout } from '../../../packages/device-nvme/dist/layouts/command.js'
import { Namespace, Namespaces } from '../../../packages/device-nvme/dist/namespace.js'
import { IoOpcode } from '../../../packages/device-nvme/dist/opcodes.js'
import { CompletionQueue } from '../../../packages/device-nvme/dist/queues/completion-queue.js'
import { SubmissionQueue } from '../../../packages/device-nvme/dist/queues/submission-queue.js'
import { BareLoop } from './bare-loop.js'
import { CommandRig } from './command-rig.js'
import type { Direction, RigHost, RigQueue } from './command-rig.js'
import { BLOCK_BYTES, DATA_AT, IOVA, RigMemory } from './rig-memory.js'
import type { RigMemoryOptions } from './rig-memory.js'

const MIB = 1024 * 1024
const PAGE_BYTES = 4096
/** Entries of each ring. */
const RING_ENTRIES = 256
const COMPLETION_BYTES = 16
/** Where everything is in the guest's memory; pair 0 is the bare loop's. */
const COMPLETIONS_AT = 4 * MIB
const LISTS_AT = 9 * MIB
const PHASE = 1 << 16
/** Visits of each page at random after which one in a thousand is missing. */
const WARM_UP_VISITS = 7

/** What the rig is made of. */
export interface ControllerRigOptions extends RigMemoryOptions {
  /** Queue pairs that exist, and those that are used, one after the other. */
  readonly queuePairs?: number
  readonly usedPairs?: number
}

/**
 * A controller on a real DMA manager and a real memory back end, and its host, in this process: a batch of commands, of
 * up to 128, is written into the ring, the doorbell is rung, and the controller has its turn.
 */
export function createControllerRig (options: ControllerRigOptions): CommandRig {
  const memory = RigMemory.create(options)
  const queuePairs = options.queuePairs ?? 1
  const parts = assemble(memory.dma, memory.backend, queuePairs)
  const pairs = Array.from({ length: queuePairs }, (_, index) => index + 1).map(id =>
    devicePair(parts, new HostPair(memory, options, id), memory.dma, id)
  )
  writeLists(memory.view, options)
  const device = inTurn(pairs.slice(0, options.usedPairs ?? 1))
  const rig = new CommandRig(options, memory, { device, bare: barePair(memory, options) })
  // What is mapped on first use is in use, with next to no page left out.
  for (let visits = 0; visits < WARM_UP_VISITS * (options.dataPages ?? 0); visits += options.queueDepth) {
    rig.cycle('read')
  }
  return rig
}

/** The host's side of a queue pair. */
class HostPair implements RigHost {
  readonly submissionsAt: number
  readonly completionsAt: number
  readonly #memory: RigMemory
  readonly #options: ControllerRigOptions
  #head = 0
  #phase = PHASE
  tail = 0

  constructor (memory: RigMemory, options: ControllerRigOptions, id: number) {
    this.#memory = memory
    this.#options = options
    this.submissionsAt = id * RING_ENTRIES * CommandLayout.byteLength
    this.completionsAt = COMPLETIONS_AT + id * RING_ENTRIES * COMPLETION_BYTES
  }

  submit (direction: Direction): void {
    const { queueDepth, transferBytes } = this.#options
    const { view } = this.#memory
    const opcode = direction === 'read' ? IoOpcode.READ : IoOpcode.WRITE
    for (let slot = 0; slot < queueDepth; slot++) {
      const base = this.submissionsAt + this.tail * CommandLayout.byteLength
      CommandLayout.opcode.set(view, base, opcode)
      CommandLayout.cid.set(view, base, slot)
      CommandLayout.nsid.set(view, base, 1)
      CommandLayout.prp1.set(view, base, IOVA + this.#memory.dataAt(slot))
      CommandLayout.prp2.set(view, base, transferBytes > PAGE_BYTES ? IOVA + LISTS_AT + slot * PAGE_BYTES : 0)
      CommandLayout.cdw10.set(view, base, this.#memory.randomAt() / BLOCK_BYTES)
      CommandLayout.cdw12.set(view, base, transferBytes / BLOCK_BYTES - 1)
      this.tail = (this.tail + 1) % RING_ENTRIES
    }
  }

  check (): void {
    const { words } = this.#memory
    for (; this.#head !== this.tail; this.#head = (this.#head + 1) % RING_ENTRIES) {
      const status = Atomics.load(words, (this.completionsAt + this.#head * COMPLETION_BYTES + 12) >>> 2) & ~0xffff
      if (status !== this.#phase) throw new Error(`A command did not complete well: ${status.toString(16)}.`)
      if (this.#head === RING_ENTRIES - 1) this.#phase ^= PHASE
    }
  }
}

function devicePair (parts: ControllerParts, host: HostPair, dma: MappedDmaManager, id: number): RigQueue {
  const { queues, doorbells, scheduler } = parts
  const place = { id, iova: IOVA + host.completionsAt, size: RING_ENTRIES }
  const completions = new CompletionQueue(dma, place, { vector: 0, isEnabled: false })
  const submissions = new SubmissionQueue(dma, { ...place, iova: IOVA + host.submissionsAt }, completions)
  queues.addCompletionQueue(completions)
  queues.addSubmissionQueue(submissions)
  return {
    host,
    execute: () => {
      doorbells.ringTail(submissions, host.tail)
      while (scheduler.run() > 0) { /* A turn ends in time, whatever is left. */ }
      doorbells.ringHead(completions, host.tail)
    }
  }
}

function barePair (memory: RigMemory, options: ControllerRigOptions): RigQueue {
  const host = new HostPair(memory, options, 0)
  const loop = new BareLoop(memory, { ...host, entries: RING_ENTRIES })
  return { host, execute: () => loop.run(options.queueDepth) }
}

/** One queue after the other, a batch each. */
function inTurn (queues: readonly RigQueue[]): RigQueue {
  let current = 0
  const queue = (): RigQueue => queues[current]!
  const host: RigHost = {
    submit: direction => {
      current = (current + 1) % queues.length
      queue().host.submit(direction)
    },
    check: () => queue().host.check()
  }
  return { host, execute: () => queue().execute() }
}

/** A list for each slot of a batch, of all pages of its buffer but the first. */
function writeLists (view: DataView, { queueDepth, transferBytes }: RigMemoryOptions): void {
  for (let slot = 0; slot < queueDepth; slot++) {
    for (let page = 1; page < transferBytes / PAGE_BYTES; page++) {
      const at = LISTS_AT + slot * PAGE_BYTES + (page - 1) * 8
      view.setBigUint64(at, BigInt(IOVA + DATA_AT + slot * transferBytes + page * PAGE_BYTES), true)
    }
  }
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
    eventLoop: new EventLoop(),
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
