import { silentLogger } from '@pcikit/core'
import { bench, describe } from 'vitest'
import { assembleController } from '../src/controller-parts.js'
import { CommandLayout } from '../src/layouts/command.js'
import { Namespace, Namespaces } from '../src/namespace.js'
import { IoOpcode } from '../src/opcodes.js'
import { CompletionQueue } from '../src/queues/completion-queue.js'
import { SubmissionQueue } from '../src/queues/submission-queue.js'
import { FlatBackend, FlatDmaSpace } from './flat-memory.js'

const DEPTH = 32
const SIZE = 64
const SQ = 0x1000
const CQ = 0x3000
const LIST = 0x4000
const DATA = 0x10_0000
const PAGE = 0x1000
const BLOCKS = 131072
const BLOCKS_PER_PAGE = 8

const dma = new FlatDmaSpace(0x40_0000)
const parts = assembleController({
  dma,
  logger: silentLogger,
  faultPolicy: 'fault',
  graceMs: 1000,
  shadowWatchMs: 0,
  poller: { turnMs: 0.5, idleMs: 2, backOffMs: 8 },
  moderatesInterrupts: true,
  interrupts: { mode: 'none', vectorCount: 0, trigger: () => undefined, setIntx: () => undefined },
  namespaces: new Namespaces([new Namespace({ id: 1, backend: new FlatBackend(BLOCKS), uuid: new Uint8Array(16) })], 1),
  limits: { queues: 1, entries: 1024, vectors: 1 },
  identity: {
    vendorId: 0,
    subsystemVendorId: 0,
    serial: '',
    model: '',
    firmware: '',
    subsystemNqn: '',
    controllerId: 0,
    transferBytesMax: 1024 * 1024,
    hasVolatileCache: false,
    supportsDiscard: false,
    hasDoorbellBuffers: true
  }
}, { onFatal: () => undefined, onDoorbellReset: () => undefined })
const completions = new CompletionQueue(dma, { id: 1, iova: CQ, size: SIZE }, {
  vector: 0,
  isEnabled: false
})
const commands = new SubmissionQueue(dma, { id: 1, iova: SQ, size: SIZE }, completions)
parts.queues.addCompletionQueue(completions)
parts.queues.addSubmissionQueue(commands)
parts.scheduler.isDriven = true
for (let entry = 0; entry < 32; entry++) dma.view.setUint32(LIST + entry * 8, DATA + (entry + 1) * PAGE, true)

let tail = 0
let lba = 0

function submit (opcode: number, pages: number): void {
  const base = SQ + tail * CommandLayout.byteLength
  lba = (lba + 7919 * BLOCKS_PER_PAGE) % (BLOCKS - 256)
  CommandLayout.opcode.set(dma.view, base, opcode)
  CommandLayout.nsid.set(dma.view, base, 1)
  CommandLayout.prp1.set(dma.view, base, DATA)
  CommandLayout.prp2.set(dma.view, base, pages === 2 ? DATA + PAGE : LIST)
  CommandLayout.cdw10.set(dma.view, base, lba)
  CommandLayout.cdw12.set(dma.view, base, pages * BLOCKS_PER_PAGE - 1)
  tail = (tail + 1) % SIZE
}

/** Submits a batch, has it executed in one turn, and consumes the completions. */
function cycle (opcode: number, pages: number): void {
  for (let index = 0; index < DEPTH; index++) submit(opcode, pages)
  parts.doorbells.ringTail(commands, tail)
  parts.scheduler.run()
  parts.doorbells.ringHead(completions, tail)
}

const options = { time: 1000 }

describe(`from submission to completion, ${DEPTH} commands at a time`, () => {
  bench('the host side alone', () => {
    for (let index = 0; index < DEPTH; index++) submit(IoOpcode.FLUSH, 1)
    tail = (tail + SIZE - DEPTH) % SIZE
  }, options)
  bench('flush', () => cycle(IoOpcode.FLUSH, 1), options)
  bench('read 4 KiB', () => cycle(IoOpcode.READ, 1), options)
  bench('read 8 KiB, two pages', () => cycle(IoOpcode.READ, 2), options)
  bench('read 128 KiB, PRP list', () => cycle(IoOpcode.READ, 32), options)
})
