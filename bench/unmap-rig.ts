import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DataBuffer, GuestFile } from '@pcikit/testkit'
import type { GuestRegion, IoQueue } from '@pcikit/testkit'
import { startDevice } from '../test/integration/device-process.js'
import { attachGuest, BLOCK_BYTES, createFolder } from '../test/integration/testbed.js'
import type { Guest, Cleanup } from '../test/integration/testbed.js'
import { ReadLoad } from './read-load.js'

const MIB = 1024 * 1024
const DATA_IOVA = 0x4000_0000
const DISK_BYTES = 16 * MIB
const READ = 2
const STUCK_BACKEND = fileURLToPath(new URL('../test/integration/stuck-backend.mjs', import.meta.url))

/** What a controller is loaded with while its memory goes. */
export interface RigOptions {
  readonly backend: 'memory' | 'file'
  readonly byteLength: number
  readonly queueDepth: number
  /** Where one command more is in flight, whose back end does not answer before the unmap is over. */
  readonly isStuck?: boolean
  readonly deadlineMs: number
}

/** Milliseconds from request to reply as the client saw them, and those that the controller itself took. */
export interface Latencies {
  readonly client: readonly number[]
  readonly controller: readonly number[]
}

/** `pcikit run nvme` in a process of its own, and a guest here whose data is in a region that comes and goes. */
export class UnmapRig {
  readonly #options: RigOptions
  readonly #guest: Guest
  readonly #load: ReadLoad
  /** For commands that get stuck, and what tells that they were fetched. */
  readonly #queue: IoQueue
  readonly #data: GuestRegion
  readonly #folder: string
  readonly #client: number[] = []

  private constructor (options: RigOptions, guest: Guest, load: ReadLoad, queue: IoQueue, folder: string) {
    this.#options = options
    this.#guest = guest
    this.#load = load
    this.#queue = queue
    this.#folder = folder
    this.#data = guest.memory.regions.find(each => each.iova === DATA_IOVA)!
  }

  static async create (cleanup: Cleanup, options: RigOptions): Promise<UnmapRig> {
    const folder = createFolder(cleanup)
    const device = await startDevice(cleanup, wordsOf(options, folder))
    const dataBytes = (options.queueDepth + 1) * options.byteLength
    const file = GuestFile.create(dataBytes)
    const guest = await attachGuest(cleanup, device.path, {
      layOut: memory => {
        memory.add({ iova: MIB, byteLength: 8 * MIB })
        memory.add({ iova: DATA_IOVA, byteLength: dataBytes, file })
        memory.reserve(DATA_IOVA, dataBytes)
      }
    })
    await guest.driver.enable()
    await guest.driver.admin.setQueueCount(2)
    const load = await ReadLoad.create(guest, { ...options, diskBytes: DISK_BYTES, iova: DATA_IOVA })
    const queue = await guest.driver.createQueuePair({ id: 2, depth: 16 })
    return new UnmapRig(options, guest, load, queue, folder)
  }

  /** Keeps the queue full from now on. Commands fail while the memory is away, as they should. */
  start (): void {
    this.#load.start()
  }

  async stop (): Promise<void> {
    await this.#load.stop()
  }

  async takeAndGiveBack (): Promise<void> {
    const { client, memory } = this.#guest
    const stuck = this.#options.isStuck === true ? await this.#readForEver() : undefined
    const start = performance.now()
    await memory.unmap(client, [this.#data])
    this.#client.push(performance.now() - start)
    await memory.map(client, [this.#data])
    if (stuck === undefined) return
    writeFileSync(this.#release, '')
    await stuck.ended
    rmSync(this.#release)
  }

  latencies (): Latencies {
    const entries = readFileSync(join(this.#folder, 'record'), 'utf8').trim().split('\n').map(line =>
      JSON.parse(line) as { readonly type: string, readonly iova: number, readonly durationMs: number }
    )
    const unmaps = entries.filter(({ type, iova }) => type === 'unmap' && iova === DATA_IOVA)
    return { client: this.#client, controller: unmaps.map(({ durationMs }) => durationMs) }
  }

  get #release (): string {
    return join(this.#folder, 'release')
  }

  /** Gives a command that ends when there is a file to release it, once it is under way. */
  async #readForEver (): Promise<{ readonly ended: Promise<unknown> }> {
    const { byteLength, queueDepth } = this.#options
    const buffer = DataBuffer.at(this.#guest.memory, DATA_IOVA + queueDepth * byteLength, byteLength)
    const ended = this.#queue.submitTransfer(READ, { nsid: 2, slba: 0, blockCount: byteLength / BLOCK_BYTES, buffer })
    // Commands of a queue are fetched in their order.
    await this.#queue.flush(1)
    return { ended }
  }
}

/** The options of the command. */
function wordsOf ({ backend, isStuck, deadlineMs }: RigOptions, folder: string): string[] {
  const disk = join(folder, 'disk')
  writeFileSync(disk, new Uint8Array(DISK_BYTES).fill(1))
  return [
    ...['--log-level', 'error', '--record', join(folder, 'record'), '--unmap-deadline-ms', String(deadlineMs)],
    ...['--backend', backend === 'file' ? `file:${disk}` : `memory:${DISK_BYTES}`],
    ...(isStuck === true ? ['--plugin', STUCK_BACKEND, '--backend', `stuck-careless:${join(folder, 'release')}`] : [])
  ]
}
