import type { GuestMemory } from '../guest/guest-memory.js'
import type { IrqRecorder } from '../guest/irq-recorder.js'
import { CommandAbandonedError } from '../guest/pending-commands.js'
import { PollLoop } from '../guest/poll-loop.js'
import type { MappedDoorbells } from '../nvme/doorbells.js'
import type { PciDriver } from '../pci/pci-driver.js'
import type { RegionAccess } from '../vfio-user/vfio-user-client.js'
import { CommonRegisters } from './common-registers.js'
import type { QueuePlace } from './driver-ring.js'
import { chooseFeatures } from './feature-words.js'
import type { FeatureChoice } from './feature-words.js'
import { CommonCfg, NO_VECTOR, VirtioFeature, VirtioIsr, VirtioStatus, VirtioStructureType } from './layouts.js'
import { findStructures, StructureAccess } from './virtio-structures.js'
import type { AccessWidth, StructurePath, VirtioStructure } from './virtio-structures.js'
import { queueBytes, Virtqueue } from './virtqueue.js'

/** The eventfds that the driver gets its interrupts from. */
export interface VirtioInterrupts {
  readonly kind: 'intx' | 'msix'
  readonly recorder: IrqRecorder
}

/** How the driver works. */
export interface VirtioPciDriverOptions {
  readonly access: RegionAccess
  readonly pci: PciDriver
  readonly memory: GuestMemory
  /** Without interrupts the driver looks at its queues while chains are under way. */
  readonly interrupts?: VirtioInterrupts
  /** Whether structures are reached in their BARs (the default) or through the configuration access capability. */
  readonly path?: StructurePath
  /** Notifications with a reply (`trap`, the default), without one, or in memory that the client mapped. */
  readonly doorbells?: 'trap' | 'posted' | MappedDoorbells
  /** Milliseconds that a chain may be with the device, 10,000 unless given; 0: for ever. */
  readonly commandTimeoutMs?: number
}

/** How a queue is set up. */
export interface CreateQueueOptions {
  readonly index: number
  /** Entries; as many as the device has, but 256 at most, unless given. */
  readonly size?: number
  /** With MSI-X: which vector. The one after the queue's index where there are so many, or else the last. */
  readonly vector?: number
  /** Where it is to be. By default the driver allocates the place of a queue once and keeps it. */
  readonly place?: QueuePlace
}

/** How a device is started. */
export interface StartOptions {
  readonly features?: FeatureChoice
  /** How many queues, 1 unless given, or which. */
  readonly queues?: number | readonly CreateQueueOptions[]
  /** Entries of each queue that does not say otherwise. */
  readonly size?: number
}

const QUEUE_SIZE = 256
const COMMAND_TIMEOUT_MS = 10_000
const RETRIES_MAX = 100

/** A driver for any virtio device on PCI. It works on guest memory by IOVA and on structures by messages. */
export class VirtioPciDriver {
  readonly structures: readonly VirtioStructure[]
  readonly access: StructureAccess
  readonly common: CommonRegisters
  readonly memory: GuestMemory
  /** What the device did that it must not: buffers given back twice, for example. Tests expect it to be empty. */
  readonly anomalies: string[] = []
  /** Called when the configuration changed. */
  onConfigChange: () => void = () => undefined
  readonly #options: VirtioPciDriverOptions
  readonly #queues = new Map<number, Virtqueue>()
  readonly #places = new Map<string, QueuePlace>()
  /** Where each queue is notified, in the structure, and as what. */
  readonly #notifications = new Map<number, { readonly offset: number, readonly id: number }>()
  readonly #polling = new PollLoop(() => this.#hasPolledWork, () => this.#reapPolled())
  #features: ReadonlySet<number> = new Set()

  private constructor (options: VirtioPciDriverOptions, structures: readonly VirtioStructure[]) {
    this.#options = options
    this.memory = options.memory
    this.structures = structures
    this.access = new StructureAccess(options.access, options.pci, options.path ?? 'bar', structures)
    this.common = new CommonRegisters(this.access, this.structure(VirtioStructureType.COMMON))
    if (options.interrupts !== undefined) {
      options.interrupts.recorder.onInterrupt = vector => void this.#interrupt(vector)
    }
  }

  /** Finds the structures of a device. It is not touched yet. */
  static async attach (options: VirtioPciDriverOptions): Promise<VirtioPciDriver> {
    return new VirtioPciDriver(options, await findStructures(options.pci))
  }

  /** What was negotiated. */
  get features (): ReadonlySet<number> {
    return this.#features
  }

  /** How many chains are under way in all queues. */
  get pendingCount (): number {
    return [...this.#queues.values()].reduce((sum, queue) => sum + queue.pendingCount, 0)
  }

  /** The first structure of a type. Throws where there is none. */
  structure (type: number): VirtioStructure {
    const found = this.structures.find(each => each.type === type)
    if (found === undefined) throw new Error(`The device has no virtio structure of type ${type}.`)
    return found
  }

  /** A queue that was created. Throws where it was not. */
  queue (index: number): Virtqueue {
    const queue = this.#queues.get(index)
    if (queue === undefined) throw new Error(`There is no queue ${index}.`)
    return queue
  }

  /** Resets the device. Chains under way are abandoned when the device has acknowledged it. */
  async reset (): Promise<void> {
    await this.common.reset()
    this.abandon('The device was reset.')
  }

  /** Gives up every chain and every queue: the device was reset in a way of which the driver knows. */
  abandon (reason: string): void {
    for (const queue of this.#queues.values()) queue.abandon(new CommandAbandonedError(reason))
    this.#queues.clear()
    this.#features = new Set()
  }

  /**
   * From reset to FEATURES_OK. [virtio] "Driver Requirements: Device Initialization". Throws where the device refuses
   * the features.
   */
  async negotiate (choice: FeatureChoice = {}): Promise<ReadonlySet<number>> {
    const { common } = this
    await this.reset()
    await common.addStatus(VirtioStatus.ACKNOWLEDGE)
    await common.addStatus(VirtioStatus.DRIVER)
    const features = chooseFeatures(await common.offeredFeatures(), choice)
    await common.acceptFeatures(features)
    await common.addStatus(VirtioStatus.FEATURES_OK)
    if ((await common.status() & VirtioStatus.FEATURES_OK) === 0) throw new Error('The device refuses the features.')
    this.#features = features
    return features
  }

  /** DRIVER_OK. */
  async ready (): Promise<void> {
    await this.common.addStatus(VirtioStatus.DRIVER_OK)
  }

  /** All that it takes from any state to a device that works. */
  async start (options: StartOptions = {}): Promise<readonly Virtqueue[]> {
    const { features, queues = 1, size } = options
    await this.negotiate(features)
    if (this.#options.interrupts?.kind === 'msix') await this.common.setConfigVector(0)
    const wanted = typeof queues === 'number' ? Array.from({ length: queues }, (_, index) => ({ index })) : queues
    const created: Virtqueue[] = []
    for (const each of wanted) {
      created.push(await this.createQueue({ ...(size === undefined ? {} : { size }), ...each }))
    }
    await this.ready()
    return created
  }

  /** Sets a queue up in memory, zeroed, and enables it. Throws RangeError where it has not so many entries. */
  async createQueue (options: CreateQueueOptions): Promise<Virtqueue> {
    const { index } = options
    const sizeMax = await this.common.readQueue(index, CommonCfg.queueSize)
    const size = options.size ?? Math.min(QUEUE_SIZE, sizeMax)
    if (size > sizeMax) throw new RangeError(`Queue ${index} has ${sizeMax} entries at most, not ${size}.`)
    const isPacked = this.#features.has(VirtioFeature.RING_PACKED)
    const place = options.place ?? this.#placeFor(index, size, isPacked)
    this.#clear(place, size, isPacked)
    const vector = this.#vectorFor(index, options.vector)
    this.#notifications.set(index, await this.#findNotification(index))
    const queue = new Virtqueue({
      index,
      size,
      place,
      vector: this.#options.interrupts === undefined ? undefined : vector,
      isPacked,
      hasEventIndex: this.#features.has(VirtioFeature.EVENT_IDX),
      isInOrder: this.#features.has(VirtioFeature.IN_ORDER)
    }, {
      memory: this.memory,
      timeoutMs: this.#options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS,
      anomalies: this.anomalies,
      notify: each => this.#notify(each),
      submitted: () => this.#polling.start()
    })
    await this.common.enableQueue(index, { size, vector, place })
    this.#queues.set(index, queue)
    return queue
  }

  /** Resets one queue. Its chains are abandoned when the device has acknowledged it. [virtio] "Virtqueue Reset". */
  async resetQueue (index: number): Promise<void> {
    await this.common.resetQueue(index)
    this.#queues.get(index)?.abandon(new CommandAbandonedError('The queue was reset.'))
    this.#queues.delete(index)
  }

  /** Sends any notification, for tests. */
  async sendNotification (offset: number, width: AccessWidth, value: number): Promise<void> {
    const { doorbells } = this.#options
    const notify = this.structure(VirtioStructureType.NOTIFY)
    if (typeof doorbells === 'object') return doorbells.ring(notify.offset + offset, value)
    await this.access.write(notify, offset, width, value, { posted: doorbells === 'posted' })
  }

  /** Reads ISR status, which clears it. [virtio] "ISR status capability". */
  async isr (): Promise<number> {
    return this.access.read(this.structure(VirtioStructureType.ISR), 0, 1)
  }

  /** Reads a field of the device configuration. */
  async readConfig (offset: number, width: AccessWidth): Promise<number> {
    return this.access.read(this.structure(VirtioStructureType.DEVICE), offset, width)
  }

  /** Writes a field of the device configuration. */
  async writeConfig (offset: number, width: AccessWidth, value: number): Promise<void> {
    await this.access.write(this.structure(VirtioStructureType.DEVICE), offset, width, value)
  }

  /** Reads the device configuration as it is at one time. [virtio] "Device Configuration Space". */
  async configBytes (byteLength: number, width: AccessWidth = 4): Promise<Uint8Array> {
    const structure = this.structure(VirtioStructureType.DEVICE)
    for (let attempt = 0; attempt < RETRIES_MAX; attempt++) {
      const before = await this.common.read(CommonCfg.configGeneration)
      const bytes = await this.access.bytes(structure, Math.min(byteLength, structure.byteLength), width)
      if (await this.common.read(CommonCfg.configGeneration) === before) return bytes
    }
    throw new Error('The configuration never stays the same.')
  }

  /** Takes what came back on all queues. Returns how many chains. */
  reapAll (): number {
    return [...this.#queues.values()].reduce((sum, queue) => sum + queue.reap(), 0)
  }

  /** [virtio] "Available Buffer Notifications". */
  async #notify (queue: Virtqueue): Promise<void> {
    const known = this.#notifications.get(queue.index)
    if (known === undefined) return
    if (!this.#features.has(VirtioFeature.NOTIFICATION_DATA)) return this.sendNotification(known.offset, 2, known.id)
    await this.sendNotification(known.offset, 4, (known.id | queue.ring.notificationData << 16) >>> 0)
  }

  async #findNotification (index: number): Promise<{ readonly offset: number, readonly id: number }> {
    const { notifyOffMultiplier } = this.structure(VirtioStructureType.NOTIFY)
    const offset = notifyOffMultiplier * await this.common.readQueue(index, CommonCfg.queueNotifyOff)
    const hasId = this.#features.has(VirtioFeature.NOTIF_CONFIG_DATA)
    return { offset, id: hasId ? await this.common.readQueue(index, CommonCfg.queueNotifyData) : index }
  }

  #placeFor (index: number, size: number, isPacked: boolean): QueuePlace {
    const key = `${index} ${size} ${String(isPacked)}`
    const known = this.#places.get(key)
    if (known !== undefined) return known
    const { descriptors, driver, device } = queueBytes(size, isPacked)
    const place = {
      descriptors: this.memory.allocate(descriptors),
      driver: this.memory.allocate(driver),
      device: this.memory.allocate(device)
    }
    this.#places.set(key, place)
    return place
  }

  #clear (place: QueuePlace, size: number, isPacked: boolean): void {
    const { descriptors, driver, device } = queueBytes(size, isPacked)
    this.memory.fill(place.descriptors, descriptors, 0)
    this.memory.fill(place.driver, driver, 0)
    this.memory.fill(place.device, device, 0)
  }

  #vectorFor (index: number, wanted: number | undefined): number {
    const { interrupts } = this.#options
    if (interrupts?.kind !== 'msix') return wanted ?? NO_VECTOR
    return wanted ?? Math.min(index + 1, interrupts.recorder.vectorCount - 1)
  }

  async #interrupt (vector: number): Promise<void> {
    const { interrupts } = this.#options
    if (interrupts?.kind === 'msix') {
      if (vector === 0) this.onConfigChange()
      for (const queue of this.#queues.values()) if (queue.vector === vector) queue.reap()
      return
    }
    try {
      const isr = await this.isr()
      if (VirtioIsr.CONFIGURATION.isSet(isr)) this.onConfigChange()
      this.reapAll()
      await interrupts?.recorder.unmask()
    } catch (error) {
      this.anomalies.push(String(error))
    }
  }

  get #hasPolledWork (): boolean {
    return [...this.#queues.values()].some(queue => queue.vector === undefined && queue.pendingCount > 0)
  }

  #reapPolled (): number {
    const queues = [...this.#queues.values()].filter(queue => queue.vector === undefined)
    return queues.reduce((sum, queue) => sum + queue.reap(), 0)
  }
}
