import { LateRanges } from '@pcikit/block'
import { REAL_CLOCK, silentLogger } from '@pcikit/core'
import { EventLoop } from '@pcikit/native'
import { FeatureSet } from '@pcikit/virtio'
// The parts of a device are no public interface. What is measured here is them and nothing around them.
import { BlockConfig } from '../../../packages/device-virtio-blk/dist/block-config.js'
import type { BlockRequest } from '../../../packages/device-virtio-blk/dist/block-request.js'
import { Disk } from '../../../packages/device-virtio-blk/dist/disk.js'
import { StatusBytes } from '../../../packages/device-virtio-blk/dist/status-bytes.js'
import { VirtioBlkModel } from '../../../packages/device-virtio-blk/dist/virtio-blk-model.js'
import { QueueScheduler } from '../../../packages/virtio/dist/queue/queue-scheduler.js'
import { Virtqueue } from '../../../packages/virtio/dist/queue/virtqueue.js'
import { CommandRig } from '../polled/command-rig.js'
import type { Direction, RigHost, RigQueue } from '../polled/command-rig.js'
import { BLOCK_BYTES, IOVA, RigMemory } from '../polled/rig-memory.js'
import type { RigMemoryOptions } from '../polled/rig-memory.js'
import { BareBlkLoop } from './bare-blk-loop.js'
import type { BlkRing, BlkRingOptions } from './blk-ring.js'
import { PackedBlkRing } from './packed-blk-ring.js'
import { SplitBlkRing } from './split-blk-ring.js'

const MIB = 1024 * 1024
/** Entries of each ring: room for 128 requests without tables. */
const RING_ENTRIES = 512
/** Where the rings are in the guest's memory. */
const DEVICE_RING_AT = 0
const BARE_RING_AT = 4 * MIB

/** What the rig is made of. */
export interface VirtioRigOptions extends RigMemoryOptions {
  readonly isPacked: boolean
  /** Descriptors in tables, as Linux has them. */
  readonly isIndirect: boolean
}

/**
 * The queue of a virtio device that is polled, with virtio-blk on a real DMA manager and a real memory back end, and
 * its driver, in this process: a batch of requests, of up to 128, is made available, and the device has its turn.
 */
export function createVirtioRig (options: VirtioRigOptions): CommandRig {
  const memory = RigMemory.create(options)
  const device = deviceQueue(memory, new HostRing(memory, options, DEVICE_RING_AT), options)
  return new CommandRig(options, memory, { device, bare: bareQueue(memory, options) })
}

/** The host's side of a queue. */
class HostRing implements RigHost {
  readonly options: BlkRingOptions
  readonly ring: BlkRing
  readonly #memory: RigMemory
  readonly #queueDepth: number

  constructor (memory: RigMemory, options: VirtioRigOptions, at: number) {
    const { queueDepth, transferBytes, isPacked, isIndirect } = options
    this.#memory = memory
    this.#queueDepth = queueDepth
    this.options = {
      ...{ view: memory.view, words: memory.words, at, iova: IOVA + at },
      ...{ size: RING_ENTRIES, requestCount: queueDepth, transferBytes, isIndirect }
    }
    this.ring = isPacked ? new PackedBlkRing(this.options) : new SplitBlkRing(this.options)
  }

  submit (direction: Direction): void {
    const memory = this.#memory
    const isRead = direction === 'read'
    for (let request = 0; request < this.#queueDepth; request++) {
      this.ring.add(request, isRead, memory.randomAt() / BLOCK_BYTES, IOVA + memory.dataAt(request))
    }
    this.ring.publish()
  }

  check (): void {
    let count = 0
    while (this.ring.take() >= 0) count++
    const { failureCount } = this.ring
    if (count === this.#queueDepth && failureCount === 0) return
    throw new Error(`${count} of ${this.#queueDepth} requests came back, ${failureCount} failed so far.`)
  }
}

function bareQueue (memory: RigMemory, options: VirtioRigOptions): RigQueue {
  const host = new HostRing(memory, options, BARE_RING_AT)
  const loop = new BareBlkLoop(memory, host.options)
  const { queueDepth } = options
  return { host, execute: options.isPacked ? () => loop.runPacked(queueDepth) : () => loop.runSplit(queueDepth) }
}

function deviceQueue (memory: RigMemory, host: HostRing, options: VirtioRigOptions): RigQueue {
  const { dma } = memory
  const model = createModel(memory)
  const scheduler: QueueScheduler = new QueueScheduler({
    isPolled: true,
    clock: REAL_CLOCK,
    eventLoop: new EventLoop(),
    moderatesInterrupts: true,
    watchMs: 0,
    take: chain => model.take(chain),
    interrupt: fail,
    broken: fail,
    schedule: () => undefined,
    stalled: () => undefined
  })
  const queue: Virtqueue = new Virtqueue(0, RING_ENTRIES, {
    dma,
    data: dma,
    usedReady: each => scheduler.usedReady(each),
    taken: () => undefined,
    released: each => scheduler.released(each),
    faulted: () => fail('Memory is away.')
  })
  const { isPacked, isIndirect } = options
  queue.enable(host.ring.place, { isPacked, hasIndirect: isIndirect, hasEventIndex: false, isInOrder: false })
  scheduler.start()
  return {
    host,
    execute: () => {
      scheduler.list(queue)
      while (scheduler.run() > 0) { /* A turn ends in time, whatever is left. */ }
    }
  }
}

function createModel ({ dma, backend }: RigMemory): VirtioBlkModel {
  const disk = new Disk(backend, false)
  const limits = { segMax: RING_ENTRIES - 2, sizeMax: 0, physicalBlockSize: BLOCK_BYTES, minimumIo: 0, optimalIo: 0 }
  return new VirtioBlkModel({
    disk,
    config: new BlockConfig({
      disk,
      offered: new FeatureSet(),
      queues: 1,
      writeCache: true,
      zoned: undefined,
      ...limits
    }),
    zones: undefined,
    logger: silentLogger,
    statusBytes: new StatusBytes({ dma, faultPolicy: 'fault', graceMs: 1000, fail }),
    fail,
    features: new FeatureSet(),
    late: new LateRanges<BlockRequest>(),
    id: new Uint8Array(20),
    lifetime: undefined
  })
}

function fail (reason: unknown): never {
  throw new Error(`A device does what was not to be expected: ${String(reason)}`)
}
