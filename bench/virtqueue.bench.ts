// What queues cost by themselves: a chain is taken from its ring, completed at once, and given back.
import { BlindEventLoop, REAL_CLOCK } from '@pcikit/core'
import { bench, describe } from 'vitest'
import { FlatDmaSpace } from '../packages/device-nvme/bench/flat-memory.js'
import { QueueScheduler } from '../packages/virtio/src/queue/queue-scheduler.js'
import { Virtqueue } from '../packages/virtio/src/queue/virtqueue.js'
import { PackedBlkRing } from './src/virtio/packed-blk-ring.js'
import { SplitBlkRing } from './src/virtio/split-blk-ring.js'

const DEPTH = 32
const SIZE = 256
const PAGE = 4096
const DATA_IOVA = 0x20_0000

interface Format {
  readonly isPacked: boolean
  readonly isIndirect: boolean
}

function unexpected (): never {
  throw new Error('Nothing goes wrong in memory that is always there.')
}

/** A queue that is polled, and its driver. Returns what submits a batch, has it served, and takes it back. */
function createCycle ({ isPacked, isIndirect }: Format): () => void {
  const dma = new FlatDmaSpace(0x40_0000)
  const options = {
    ...{ view: dma.view, words: dma.words, at: PAGE, iova: PAGE, size: SIZE, requestCount: DEPTH },
    ...{ transferBytes: PAGE, isIndirect }
  }
  const ring = isPacked ? new PackedBlkRing(options) : new SplitBlkRing(options)
  const scheduler: QueueScheduler = new QueueScheduler({
    isPolled: true,
    clock: REAL_CLOCK,
    eventLoop: new BlindEventLoop(),
    moderatesInterrupts: true,
    watchMs: 0,
    take: chain => chain.complete(chain.writable.byteLength),
    interrupt: unexpected,
    broken: unexpected,
    schedule: () => undefined,
    stalled: () => undefined
  })
  const queue: Virtqueue = new Virtqueue(0, SIZE, {
    dma,
    data: dma,
    usedReady: each => scheduler.usedReady(each),
    taken: () => undefined,
    released: each => scheduler.released(each),
    faulted: unexpected
  })
  queue.enable(ring.place, { isPacked, hasIndirect: isIndirect, hasEventIndex: false, isInOrder: false })
  scheduler.start()
  return () => {
    for (let request = 0; request < DEPTH; request++) ring.add(request, true, 0, DATA_IOVA)
    ring.publish()
    scheduler.list(queue)
    scheduler.run()
    let count = 0
    while (ring.take() >= 0) count++
    if (count !== DEPTH) throw new Error(`${count} of ${DEPTH} chains came back.`)
  }
}

describe(`chains of three descriptors, ${DEPTH} at a time, with their driver`, () => {
  for (const isPacked of [false, true]) {
    for (const isIndirect of [false, true]) {
      const name = `${isPacked ? 'packed' : 'split'}${isIndirect ? ', in tables' : ''}`
      bench(name, createCycle({ isPacked, isIndirect }), { time: 1000 })
    }
  }
})
