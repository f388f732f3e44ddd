import { DmaFault, FaultPolicy, silentLogger } from '@pcikit/core'
import type { DmaPort, DmaAccess } from '@pcikit/core'
import { duplicateDescriptor } from '@pcikit/native'
import { FakeDmaManager, GuestMemory, Virtqueue } from '@pcikit/testkit'
import type { DmaClient, QueueFeatures, RegionPlacement } from '@pcikit/testkit'
import { expect } from 'vitest'
import type { VirtqueueChain } from '../../src/chain.js'
import type { VirtqueueTimes } from '../../src/device-model.js'
import type { QueueEngine, VirtqueueFeatures } from '../../src/queue/queue-engine.js'
import { createQueueEngine } from '../../src/queue/virtqueue-engine.js'

export const PAGE = 4096

export interface HarnessOptions {
  readonly regions?: readonly RegionPlacement[]
  readonly queueCount?: number
  readonly entriesMax?: number
  readonly times?: Partial<VirtqueueTimes>
  readonly faultPolicy?: FaultPolicy
  readonly graceMs?: number
  readonly moderatesInterrupts?: boolean
  /** What the device does with each chain. It keeps them unless given. */
  readonly take?: (chain: VirtqueueChain, harness: Harness) => void
  readonly poll?: () => boolean
}

export interface QueueOptions extends Partial<QueueFeatures> {
  readonly index?: number
  readonly size?: number
  readonly hasIndirect?: boolean
  readonly place?: Virtqueue['spec']['place']
  /** Without it the driver wants no interrupts. */
  readonly vector?: number | undefined
}

/** What decides about notifications: the driver is asked as soon as there is nothing to do. */
const TIMES: VirtqueueTimes = { doorbells: 'trap', watchUs: 0, pollSocketUs: 100, pollIdleUs: 100, pollBackOffMs: 2 }

/** Queues of a device, the guest that drives them, and the memory between the two. */
export class Harness {
  readonly memory = new GuestMemory()
  readonly dma = new FakeDmaManager(50)
  readonly engine: QueueEngine
  readonly interrupts: number[] = []
  readonly broken: string[] = []
  /** Chains that the device was given, and has not completed. */
  readonly taken: VirtqueueChain[] = []
  takenCount = 0
  /** Ranges that the client was asked for. */
  readonly messages: string[] = []
  /** Holds every answer to a message back. */
  answers: Promise<void> | undefined
  readonly client: DmaClient

  constructor (options: HarnessOptions = {}) {
    this.client = {
      mapDma: async ({ iova, byteLength, flags, descriptor, fileOffset = 0 }) =>
        this.dma.map({
          iova: Number(iova),
          byteLength: Number(byteLength),
          access: flags as DmaAccess,
          fileOffset: Number(fileOffset),
          ...(descriptor !== undefined && { descriptor: duplicateDescriptor(descriptor) })
        }),
      unmapDma: (iova, byteLength) => this.dma.unmap(iova, byteLength)
    }
    this.dma.setBusMaster(true)
    this.dma.setPort(this.#createPort())
    for (const region of options.regions ?? [{ iova: 0x10_0000, byteLength: 0x40_0000 }]) this.memory.add(region)
    const { entriesMax = 256, queueCount = 1 } = options
    this.engine = createQueueEngine({
      dma: this.dma,
      logger: silentLogger,
      queues: Array.from({ length: queueCount }, () => ({ entriesMax })),
      times: { ...TIMES, ...options.times },
      faultPolicy: options.faultPolicy ?? FaultPolicy.FAULT,
      graceMs: options.graceMs ?? 60_000,
      moderatesInterrupts: options.moderatesInterrupts ?? false,
      events: {
        take: chain => {
          this.takenCount++
          if (options.take !== undefined) return options.take(chain, this)
          this.taken.push(chain)
        },
        interrupt: queueIndex => void this.interrupts.push(queueIndex),
        broken: reason => void this.broken.push(reason),
        poll: () => options.poll?.() ?? false
      }
    })
  }

  static async create (options: HarnessOptions = {}): Promise<Harness> {
    const harness = new Harness(options)
    await harness.memory.map(harness.client)
    return harness
  }

  /** Makes a queue, on both sides. */
  createQueue (options: QueueOptions = {}): Virtqueue {
    const { index = 0, size = 16, isPacked = false, hasEventIndex = false, isInOrder = false, vector } = options
    const place = options.place ?? {
      descriptors: this.memory.allocate(size * 16),
      driver: this.memory.allocate(6 + 2 * size),
      device: this.memory.allocate(6 + 8 * size)
    }
    const spec = { index, size, place, isPacked, hasEventIndex, isInOrder, vector }
    const queue = new Virtqueue(spec, {
      memory: this.memory,
      timeoutMs: 0,
      anomalies: [],
      notify: ({ index: queueIndex }) => this.engine.notify(queueIndex),
      submitted: () => undefined
    })
    this.enable(queue, options)
    return queue
  }

  enable ({ spec }: Virtqueue, { hasIndirect = true }: QueueOptions = {}): void {
    const { isPacked, hasEventIndex, isInOrder, size, place } = spec
    const features: VirtqueueFeatures = { isPacked, hasEventIndex, isInOrder, hasIndirect }
    const { descriptors: descriptorArea, driver: driverArea, device: deviceArea } = place
    this.engine.enable(spec.index, { size, descriptorArea, driverArea, deviceArea }, features)
  }

  /** A queue of a device that is up. */
  startQueue (options: QueueOptions = {}): Virtqueue {
    const queue = this.createQueue(options)
    this.engine.start()
    return queue
  }

  /** Memory for a buffer, with contents. */
  buffer (bytes: Uint8Array): { readonly iova: number, readonly byteLength: number } {
    const iova = this.memory.allocate(Math.max(1, bytes.length))
    this.memory.store(iova, bytes)
    return { iova, byteLength: bytes.length }
  }

  space (byteLength: number): { readonly iova: number, readonly byteLength: number } {
    return { iova: this.memory.allocate(Math.max(1, byteLength)), byteLength }
  }

  /** Completes a chain that the device kept. */
  complete (index = 0, written = 0): void {
    this.taken.splice(index, 1)[0]!.complete(written)
  }

  async close (): Promise<void> {
    this.engine.close()
    await this.dma.close()
    this.memory.close()
  }

  #createPort (): DmaPort {
    const exchange = async (kind: string, iova: number, local: Uint8Array): Promise<void> => {
      this.messages.push(`${kind} ${iova.toString(16)} ${local.length}`)
      const copy = local.slice()
      await this.answers
      const isDone = kind === 'read' ? this.memory.read(iova, local) : this.memory.write(iova, copy)
      if (!isDone) throw new Error('The client has no such memory.')
    }
    return {
      transferBytesMax: 0x1_0000,
      read: (iova, target) => exchange('read', iova, target),
      write: (iova, source) => exchange('write', iova, source)
    }
  }
}

/** Lets the event loop go on until something is so. */
export async function until (condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 500_000; turn++) {
    if (condition()) return
    await turns(1)
  }
  expect.fail('it never came to be')
}

/** So many turns of the event loop: whatever is about to happen has happened. */
export async function turns (count = 8): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(resolve => setImmediate(resolve))
}

/** A device that writes the readable bytes of a chain, each plus one, to the writable part. */
export function echo (chain: VirtqueueChain): void {
  const { readable, writable } = chain
  const bytes = new Uint8Array(readable.byteLength)
  const length = Math.min(bytes.length, writable.byteLength)
  const finish = (fault: DmaFault): void => {
    expect(fault).toBe(DmaFault.NONE)
    chain.complete(length)
  }
  const answer = (fault: DmaFault): void => {
    expect(fault).toBe(DmaFault.NONE)
    for (let index = 0; index < length; index++) bytes[index]! += 1
    const written = writable.write(0, bytes.subarray(0, length))
    if (typeof written === 'number') finish(written)
    else void written.then(finish)
  }
  const read = readable.read(0, bytes)
  if (typeof read === 'number') answer(read)
  else void read.then(answer)
}
