// How long a client waits for the answer to an unmap, while the controller works on the very memory that goes.
// The distribution is vitest's own: p75, p99 and on. Client and controller share a thread here, so that under load a
// figure holds the client's own work too: compare the rows, and the last one with its deadline.
import block, { BLOCK_BACKEND } from '@pcikit/block'
import type { BlockBackend } from '@pcikit/block'
import { contribute, definePlugin, PLUGIN_API_VERSION } from '@pcikit/core'
import { createHost } from '@pcikit/core/host'
import nvme from '@pcikit/device-nvme'
import dma from '@pcikit/dma'
import { DataBuffer, GuestFile } from '@pcikit/testkit'
import type { GuestRegion, IoQueue } from '@pcikit/testkit'
import socket from '@pcikit/transport-socket'
import { join } from 'node:path'
import { afterAll, bench, describe } from 'vitest'
import { attachGuest, Cleanup, createFolder } from '../test/integration/testbed.js'
import type { Guest } from '../test/integration/testbed.js'

const KIB = 1024
const MIB = 1024 * KIB
const BLOCK_BYTES = 512
const DATA_IOVA = 0x4000_0000
const QUEUE_DEPTH = 64
/** Longer ones would only make the benchmark longer: past it the reply comes, whatever the back end does. */
const DEADLINE_MS = 50
const READ = 2

const cleanup = new Cleanup()
afterAll(() => cleanup.run())

/** A back end that never answers. */
const stuck = definePlugin({
  name: 'stuck',
  api: PLUGIN_API_VERSION,
  contributes: [
    contribute(BLOCK_BACKEND, {
      name: 'stuck',
      summary: 'Never answers a read.',
      usage: 'stuck:',
      open: async (_, { blockSize }): Promise<BlockBackend> => ({
        blockSize,
        blockCount: MIB,
        readOnly: false,
        supportsDiscard: false,
        supportsWriteZeroes: false,
        hasVolatileCache: false,
        read: () => new Promise(() => undefined),
        write: () => undefined,
        flush: () => undefined,
        writeZeroes: () => undefined,
        [Symbol.asyncDispose]: async () => undefined
      })
    })
  ]
})

/** A guest with queues in one file and data in another, which comes and goes. */
class Rig {
  readonly guest: Guest
  readonly #queue: IoQueue
  readonly #data: GuestRegion
  #isLoaded = false

  private constructor (guest: Guest, queue: IoQueue, data: GuestRegion) {
    this.guest = guest
    this.#queue = queue
    this.#data = data
  }

  static async create (backend: string, dataBytes: number): Promise<Rig> {
    const path = join(createFolder(cleanup), 'nvme.sock')
    const host = createHost({ plugins: [socket, dma, block, nvme, stuck] })
    cleanup.add(host, () => host.close())
    await host.createDevice({
      type: 'nvme',
      options: { backends: [backend] },
      dma: { type: 'mapped', options: { unmapDeadlineMs: DEADLINE_MS } },
      transport: { type: 'socket', options: { path } }
    })
    const file = GuestFile.create(dataBytes)
    const guest = await attachGuest(cleanup, path, {
      layOut: memory => {
        memory.add({ iova: MIB, byteLength: 8 * MIB })
        memory.add({ iova: DATA_IOVA, byteLength: dataBytes, file })
        memory.reserve(DATA_IOVA, dataBytes)
      }
    })
    await guest.driver.enable()
    await guest.driver.admin.setQueueCount(1)
    const queue = await guest.driver.createQueuePair({ id: 1, depth: 2 * QUEUE_DEPTH })
    const data = guest.memory.regions.find(each => each.iova === DATA_IOVA)!
    const rig = new Rig(guest, queue, data)
    return cleanup.add(rig, each => each.rest())
  }

  /** Keeps so many reads of that size in flight. They fail while the memory is away, as they should. */
  load (byteLength: number, count = QUEUE_DEPTH): void {
    this.#isLoaded = true
    for (let index = 0; index < count; index++) {
      const buffer = DataBuffer.at(this.guest.memory, DATA_IOVA + index * byteLength, byteLength)
      const transfer = { nsid: 1, slba: 0, blockCount: byteLength / BLOCK_BYTES, buffer }
      void this.#keepReading(transfer)
    }
  }

  rest (): void {
    this.#isLoaded = false
  }

  async takeAndGiveBack (): Promise<void> {
    await this.guest.memory.unmap(this.guest.client, [this.#data])
    await this.guest.memory.map(this.guest.client, [this.#data])
  }

  async #keepReading (transfer: Parameters<IoQueue['submitTransfer']>[1]): Promise<void> {
    while (this.#isLoaded) {
      await this.#queue.submitTransfer(READ, transfer).catch(() => {
        this.#isLoaded = false
      })
    }
  }
}

const idle = await Rig.create('memory:4MiB', 8 * MIB)
const small = await Rig.create('memory:4MiB', QUEUE_DEPTH * 4 * KIB)
const large = await Rig.create('memory:4MiB', QUEUE_DEPTH * 128 * KIB)
const blocked = await Rig.create('stuck:', QUEUE_DEPTH * 4 * KIB)

/** Loads a rig for as long as it is measured. */
function under (rig: Rig, byteLength: number) {
  return { setup: () => rig.load(byteLength), teardown: () => rig.rest() }
}

describe('take a region away and give it back', () => {
  bench('idle', () => idle.takeAndGiveBack())
  bench(`under 4 KiB reads, ${QUEUE_DEPTH} deep`, () => small.takeAndGiveBack(), under(small, 4 * KIB))
  bench(`under 128 KiB reads, ${QUEUE_DEPTH} deep`, () => large.takeAndGiveBack(), under(large, 128 * KIB))
  bench(`held by a back end that never answers (deadline ${DEADLINE_MS} ms)`, async () => {
    blocked.load(4 * KIB, 1)
    await blocked.takeAndGiveBack()
  }, { iterations: 10, time: 0, warmupIterations: 0, warmupTime: 0 })
})
