import { GuestFile } from '../guest/guest-file.js'
import type { GuestMemory, GuestRegion } from '../guest/guest-memory.js'
import { CommandAbandonedError } from '../guest/pending-commands.js'
import type { QueuePlace } from '../virtio/driver-ring.js'
import { CommonCfg, DescriptorFlag, DESCRIPTOR_BYTES, VirtioFeature } from '../virtio/layouts.js'
import { VirtioGuest } from '../virtio/virtio-guest.js'
import type { VirtioGuestOptions } from '../virtio/virtio-guest.js'
import { sendSample } from '../virtio/virtio-sample.js'
import type { VirtioSample } from '../virtio/virtio-sample.js'
import type { Virtqueue } from '../virtio/virtqueue.js'
import { ChaosError } from './chaos-error.js'
import { ChaosRandom } from './chaos-random.js'
import { describeFuzzAction, VirtioFuzzPlan } from './virtio-fuzz-plan.js'
import type { FuzzAction, FuzzChain } from './virtio-fuzz-plan.js'

/** What is done to which device, and for how long. */
export interface VirtioFuzzOptions {
  /** The vfio-user socket of the device. It waits for minutes for queues whose memory is away. */
  readonly path: string
  /** A request that the device answers by itself, whatever was written to it before. */
  sample(): VirtioSample
  /** The queue that takes it, 0 unless given. */
  readonly queue?: number
  /** The same seed does the same things in the same order. */
  readonly seed: number
  /** Ends after so much time, in milliseconds, or so many actions, whichever comes first. */
  readonly durationMs?: number
  readonly actionsMax?: number
  readonly guest?: Omit<VirtioGuestOptions, 'layOut'>
  /** The client shares none of its memory. */
  readonly byMessage?: boolean
}

/** What a run did. */
export interface VirtioFuzzReport {
  readonly seed: number
  readonly actionCount: number
  /** Requests that were answered rightly. */
  readonly answerCount: number
  /** How often the device was reset. */
  readonly resetCount: number
  /** How often it said before that it needed one. */
  readonly brokenCount: number
  readonly log: readonly string[]
}

const MIB = 1024 * 1024
const PAGE = 4096
const RINGS_IOVA = 0x4000_0000
const RING_PAGES = 4
/** Where rings can be in their file, in pages. */
const RING_PLACES = [0, 8, 16, 24]
const RINGS: QueuePlace = {
  descriptors: RINGS_IOVA,
  driver: RINGS_IOVA + 2 * PAGE,
  device: RINGS_IOVA + 3 * PAGE
}
const QUEUE_SIZES = [8, 32, 128]
/** Memory in which broken chains lie, apart from that of requests. */
const DATA = { iova: 0x5000_0000, byteLength: MIB }
const { RING_PACKED, INDIRECT_DESC, EVENT_IDX, IN_ORDER, NOTIFICATION_DATA } = VirtioFeature
/** Features that are negotiated at some starts and not at others. */
const FICKLE = { RING_PACKED, INDIRECT_DESC, EVENT_IDX, IN_ORDER, NOTIFICATION_DATA }
/** How likely the device is reset after something that it need not stand, and else. */
const RESTART_SPOILT = 0.3
const RESTART = 0.02

/**
 * Drives a device with chains that are mostly valid and rarely broken, with memory that moves, and with resets in the
 * middle of it. Throws {@link ChaosError}, which tells how to replay it, when the device goes away, does not answer a
 * valid request rightly although nothing was broken since it was reset, does not work after a reset, or writes to
 * memory that it no longer has.
 */
export async function fuzzVirtioDevice (options: VirtioFuzzOptions): Promise<VirtioFuzzReport> {
  const shared = options.byMessage !== true
  const guest = await VirtioGuest.attach(options.path, {
    doorbells: 'posted',
    ...options.guest,
    layOut: memory => layOut(memory, shared)
  })
  const run = new VirtioFuzzRun(guest, options)
  try {
    await run.run()
  } catch (error) {
    throw new ChaosError(options.seed, run.log, error)
  } finally {
    guest.leave()
  }
  const { log, answerCount, resetCount, brokenCount } = run
  return { seed: options.seed, actionCount: log.length, answerCount, resetCount, brokenCount, log }
}

function layOut (memory: GuestMemory, shared: boolean): void {
  memory.add({ iova: MIB, byteLength: 8 * MIB, shared })
  const file = GuestFile.create((RING_PLACES.at(-1)! + RING_PAGES) * PAGE)
  memory.add({ iova: RINGS_IOVA, byteLength: RING_PAGES * PAGE, file, shared })
  memory.add({ ...DATA, shared })
  for (const { iova, byteLength } of [DATA, { iova: RINGS_IOVA, byteLength: RING_PAGES * PAGE }]) {
    memory.reserve(iova, byteLength)
  }
}

interface Framing {
  readonly indirect: boolean
  readonly cut?: readonly number[]
}

class VirtioFuzzRun {
  readonly log: string[] = []
  answerCount = 0
  resetCount = 0
  brokenCount = 0
  readonly #guest: VirtioGuest
  readonly #options: VirtioFuzzOptions
  readonly #random: ChaosRandom
  readonly #plan: VirtioFuzzPlan
  /** Something was done that the device need not stand without a reset. */
  #isSpoilt = false
  #queue: Virtqueue | undefined

  constructor (guest: VirtioGuest, options: VirtioFuzzOptions) {
    this.#guest = guest
    this.#options = options
    this.#random = new ChaosRandom(options.seed)
    this.#plan = new VirtioFuzzPlan(this.#random.fork(), { data: DATA, pages: RING_PLACES })
  }

  async run (): Promise<void> {
    const { durationMs = Infinity, actionsMax = Infinity } = this.#options
    const end = performance.now() + durationMs
    await this.#start()
    while (performance.now() < end && this.log.length < actionsMax) {
      const action = this.#plan.next()
      this.#note(describeFuzzAction(action))
      await this.#perform(action)
      await this.#guest.turns(1)
      if (this.#random.chance(this.#isSpoilt ? RESTART_SPOILT : RESTART)) await this.#start()
    }
    await this.#start()
  }

  #note (text: string): void {
    this.log.push(`#${this.log.length + 1} ${text}`)
  }

  /** Any reset has to bring it back, with any features. */
  async #start (): Promise<void> {
    const { driver, pci, memory } = this.#guest
    this.resetCount++
    if (await driver.common.needsReset()) this.brokenCount++
    this.#isSpoilt = false
    await pci.enable()
    const index = this.#options.queue ?? 0
    const without = Object.values(FICKLE).filter(() => this.#random.chance(0.4))
    await driver.negotiate({ without })
    driver.anomalies.length = 0
    const sizeMax = await driver.common.readQueue(index, CommonCfg.queueSize)
    const size = Math.min(sizeMax, this.#random.pick(QUEUE_SIZES))
    const names = Object.entries(FICKLE).flatMap(([name, bit]) => driver.features.has(bit) ? [name] : [])
    this.#note(`start with ${size} entries, ${names.join(', ')}`)
    this.#queue = await driver.createQueue({ index, size, place: RINGS })
    await driver.ready()
    await this.#send(1, { indirect: false })
    if (!memory.areGuardsIntact) throw new Error('The device wrote beside the memory that it has.')
  }

  async #perform (action: FuzzAction): Promise<void> {
    const { driver, pci } = this.#guest
    switch (action.kind) {
      case 'requests':
        return this.#send(action.count, action)
      case 'chains':
        return this.#whileSpoilt(() => this.#offer(action.chains))
      case 'index':
      case 'head':
        return this.#whileSpoilt(() => this.#mislead(action))
      case 'notify':
        return driver.sendNotification(action.offset, action.width, action.value)
      case 'register':
        return this.#whileSpoilt(() =>
          driver.access.write(driver.common.structure, action.offset, action.width, action.value)
        )
      case 'window':
        return driver.access.write({ ...driver.common.structure, ...action }, 0, 4, action.value, { path: 'config' })
      case 'scribble':
        return this.#whileSpoilt(async () => {
          const { iova, byteLength } = this.#queue!.parts[action.part]!
          const bytes = Uint8Array.from(action.bytes).subarray(0, byteLength)
          this.#guest.memory.store(iova + action.at % (byteLength - bytes.length + 1), bytes)
          await this.#queue!.notify()
        })
      case 'move':
        return this.#whileBusy(() => this.#move(action.page, 0))
      case 'unmap':
        return this.#whileBusy(() => this.#move(action.page, action.awayTurns))
      case 'bus-master':
        return this.#whileBusy(async () => {
          await pci.setBusMaster(false)
          await this.#guest.turns(action.offTurns)
          await pci.setBusMaster(true)
        })
      case 'queue-reset':
        return this.#resetQueue()
      case 'reset':
        return this.#reset(action.how)
      case 'rest':
        return this.#guest.turns(action.turns)
    }
  }

  /** Requests that must be answered, unless something was broken before. */
  async #send (count: number, framing: Framing): Promise<void> {
    const queue = this.#queue!
    const { driver, memory } = this.#guest
    if (this.#isSpoilt) return this.#sendInVain(count)
    const options = { ...framing, indirect: framing.indirect && driver.features.has(INDIRECT_DESC) }
    const sent = Array.from({ length: count }, () => sendSample(queue, memory, this.#options.sample(), options))
    await Promise.all(sent)
    this.answerCount += count
    const [anomaly] = driver.anomalies
    if (anomaly !== undefined) throw new Error(anomaly)
    if (await driver.common.needsReset()) throw new Error('The device needs a reset, although nothing was broken.')
  }

  /** Whether they are answered is nobody's business, but the device must stand them. */
  async #sendInVain (count: number): Promise<void> {
    const queue = this.#queue!
    for (let each = 0; each < count; each++) {
      const chain = { readable: [{ iova: DATA.iova, byteLength: 64 }], writable: [{ iova: DATA.iova, byteLength: 64 }] }
      if (queue.ring.hasRoom(2)) queue.add(chain)
    }
    await queue.notify()
  }

  /** Moves memory and the like, with requests under way where they have a chance. */
  async #whileBusy (action: () => Promise<void>): Promise<void> {
    if (this.#isSpoilt) return action()
    await Promise.all([this.#send(this.#random.between(1, 8), { indirect: this.#random.chance(0.5) }), action()])
  }

  async #whileSpoilt (action: () => Promise<void> | void): Promise<void> {
    this.#isSpoilt = true
    await action()
  }

  async #offer (chains: readonly FuzzChain[]): Promise<void> {
    const queue = this.#queue!
    for (const chain of chains) {
      const descriptors = chain.isTable ? [this.#placeTable(queue, chain)] : chain.descriptors
      if (queue.ring.hasRoom(descriptors.length)) queue.addRaw(descriptors)
    }
    await queue.notify()
  }

  /** The table lies in the data itself, so that now and then the device writes over it. */
  #placeTable (queue: Virtqueue, { descriptors, tableBytes }: FuzzChain) {
    const addr = DATA.iova + DESCRIPTOR_BYTES * this.#random.below((DATA.byteLength - PAGE) / DESCRIPTOR_BYTES)
    descriptors.forEach((each, position) => {
      const next = each.next ?? (position < descriptors.length - 1 ? position + 1 : 0)
      queue.writeTableEntry(addr + position * DESCRIPTOR_BYTES, { ...each, next })
    })
    return { addr, len: tableBytes ?? descriptors.length * DESCRIPTOR_BYTES, flags: DescriptorFlag.INDIRECT }
  }

  async #mislead ({ kind, value }: { readonly kind: 'index' | 'head', readonly value: number }): Promise<void> {
    const queue = this.#queue!
    if (queue.spec.isPacked) {
      queue.packed.writeDescriptor(value % queue.size, { addr: DATA.iova, len: 8, id: value, flags: value })
    } else if (kind === 'index') queue.split.setIndex(value)
    else queue.split.offerHead(value)
    await queue.notify()
  }

  async #move (page: number, awayTurns: number): Promise<void> {
    const { client, memory } = this.#guest
    const region = this.#ringRegion
    if (page * PAGE !== region.fileOffset) {
      const left = await memory.move(client, region, page * PAGE)
      await this.#guest.turns(1 + awayTurns)
      if (!left.isUntouched) throw new Error('Memory that was taken away was written to.')
      return
    }
    await client.unmapDma(region.iova, region.byteLength)
    await this.#guest.turns(awayTurns)
    await memory.map(client, [region])
  }

  get #ringRegion (): GuestRegion {
    return this.#guest.memory.regions.find(({ iova }) => iova === RINGS_IOVA)!
  }

  async #resetQueue (): Promise<void> {
    const { driver } = this.#guest
    if (this.#isSpoilt || !driver.features.has(VirtioFeature.RING_RESET)) return this.#start()
    const queue = this.#queue!
    const { index } = queue
    // Requests that the reset takes away.
    const lost = Array.from({ length: 4 }, () => this.#sendUntilLost(queue))
    await driver.resetQueue(index)
    await Promise.all(lost)
    const sizeMax = await driver.common.readQueue(index, CommonCfg.queueSize)
    this.#queue = await driver.createQueue({ index, size: Math.min(sizeMax, 16), place: RINGS })
    await this.#send(2, { indirect: true })
  }

  async #reset (how: string): Promise<void> {
    const { client, driver, pci } = this.#guest
    const lost = this.#isSpoilt ? [] : Array.from({ length: 4 }, () => this.#sendUntilLost(this.#queue!))
    if (how === 'VFIO_USER_DEVICE_RESET') await client.reset()
    else if (how === 'a function-level reset') await pci.functionLevelReset()
    else await driver.common.reset()
    driver.abandon('There was a reset.')
    await Promise.all(lost)
    await this.#start()
  }

  async #sendUntilLost (queue: Virtqueue): Promise<void> {
    try {
      await sendSample(queue, this.#guest.memory, this.#options.sample())
    } catch (error) {
      if (!(error instanceof CommandAbandonedError)) throw error
    }
  }
}
