import { openBlockBackend, watchSize } from '@pcikit/block'
import type { BlockBackend } from '@pcikit/block'
import { endsWithin, PcikitError } from '@pcikit/core'
import type {
  BusMasterSwitch,
  Device,
  DeviceIdentity,
  DeviceState,
  DmaSpace,
  EventLoopView,
  Extensions,
  Logger,
  PciFunction,
  Recorder,
  SharedMemoryFactory,
  Subscription
} from '@pcikit/core'
import { createPciFunction, deviceSerialNumber, msixBar, pciExpress, powerManagement, words } from '@pcikit/pci'
import type { DescribedPciFunction, PciDescription } from '@pcikit/pci'
import { CLOSE_STEP_MS, NvmeController } from './controller.js'
import { isControllerState } from './controller-state.js'
import { DOORBELL_FILE_BYTES, DOORBELL_PAGE_BYTES, DoorbellPage } from './doorbell-page.js'
import { Namespace, Namespaces } from './namespace.js'
import { msiVectorCount, msixVectorCount } from './options.js'
import type { NvmeOptions } from './options.js'
import { BAR_BYTES, DOORBELLS_AT } from './registers.js'
import { nameUuid, randomSerial, serialNumber64, uuidText } from './serial-number.js'

/** [PCIe] "Class Code": mass storage, non-volatile memory, NVM Express I/O controller. */
const CLASS_CODE = 0x01_08_02
/** NSIDs that are valid, so that namespaces can be told apart from nonsense. Inactive ones cost nothing. */
const NAMESPACES_MIN = 32
/** The BAR of the MSI-X table and PBA. */
const MSIX_BAR = 4

/** What the device is built with. */
export interface NvmeDeviceServices {
  readonly identity: DeviceIdentity
  readonly dma: DmaSpace
  readonly busMaster: BusMasterSwitch
  readonly recorder: Recorder
  readonly logger: Logger
  readonly extensions: Extensions
  /** Only for `doorbells: 'mmap'`. */
  readonly sharedMemory?: SharedMemoryFactory | undefined
  /** The same. */
  readonly eventLoop?: EventLoopView | undefined
}

/** The NVMe controller as a device: its PCI function, its back ends, and its life. */
export class NvmeDevice implements Device {
  readonly #options: NvmeOptions
  readonly #services: NvmeDeviceServices
  #serial: string
  readonly #page: DoorbellPage | undefined
  readonly #function: DescribedPciFunction
  readonly #backends: BlockBackend[] = []
  readonly #sizes: Subscription[] = []
  #controller: NvmeController | undefined = undefined

  constructor (options: NvmeOptions, services: NvmeDeviceServices) {
    this.#options = options
    this.#services = services
    this.#serial = options.serial ?? randomSerial()
    this.#page = createDoorbellPage(options, services)
    const { dma, busMaster, recorder, logger } = services
    this.#function = createPciFunction(this.#describe(), {
      dma,
      busMaster,
      recorder,
      logger,
      onReset: () => this.#controller?.reset()
    })
  }

  get function (): PciFunction {
    return this.#function
  }

  /** Opens the back ends, one after the other, and the controller over them. */
  async start (): Promise<void> {
    const { extensions, logger } = this.#services
    for (const spec of this.#options.backends) {
      const context = { blockSize: this.#options.blockSize, logger }
      this.#backends.push(await openBlockBackend(extensions, spec, context))
    }
    this.#controller = this.#createController()
    this.#watchSizes()
  }

  async save (): Promise<DeviceState> {
    if (this.#backends.some(({ isTransient }) => isTransient === true)) {
      throw new Error('what is in a memory back end goes with the code that opened it. Use a file')
    }
    return { serial: this.#serial, controller: await this.#controller?.save() }
  }

  /** The serial number goes along where nobody chose one: hosts know the controller and its namespaces by it. */
  async restore ({ serial, controller }: DeviceState): Promise<void> {
    if (typeof serial !== 'string' || !isControllerState(controller)) {
      throw new Error('What was saved is not what this version of the NVMe controller saves.')
    }
    if (serial !== this.#serial) {
      await this.#controller?.close()
      this.#serial = serial
      this.#controller = this.#createController()
    }
    this.#controller?.restore(controller)
  }

  clientGone (): void {
    this.#controller?.clientGone()
  }

  /** Every back end is closed, also when one of them fails to or is stuck. */
  async close (): Promise<void> {
    const controller = this.#controller
    this.#controller = undefined
    for (const watch of this.#sizes.splice(0)) watch.close()
    const failures: unknown[] = []
    await controller?.close().catch((error: unknown) => failures.push(error))
    const closing = this.#backends.splice(0).map(backend =>
      backend[Symbol.asyncDispose]().catch((error: unknown) => failures.push(error))
    )
    if (!await endsWithin(Promise.all(closing), CLOSE_STEP_MS)) {
      this.#services.logger.error({}, 'a back end is stuck and was left open')
    }
    this.#page?.close()
    if (failures.length > 0) throw failures.length === 1 ? failures[0] : new AggregateError(failures)
  }

  #describe (): PciDescription {
    const { vendorId, deviceId } = this.#options
    const msixVectors = msixVectorCount(this.#options)
    const memory = this.#page === undefined ? {} : {
      memory: {
        descriptor: this.#page.descriptor,
        fileOffset: 0,
        areas: [{ offset: DOORBELLS_AT, byteLength: DOORBELL_PAGE_BYTES }]
      }
    }
    const registers = words({
      read: offset => this.#controller?.read(offset) ?? 0,
      write: (offset, value, lanes) => this.#controller?.write(offset, value, lanes)
    })
    const msix = msixVectors === 0 ? undefined : msixBar(MSIX_BAR, msixVectors)
    return {
      identity: { vendorId, deviceId, classCode: CLASS_CODE },
      bars: [
        { index: 0, kind: 'memory64', byteLength: BAR_BYTES, handler: registers, ...memory },
        ...msix === undefined ? [] : [msix.bar]
      ],
      interrupts: {
        intxPin: 1,
        msi: { vectors: msiVectorCount(this.#options) },
        ...msix === undefined ? {} : { msix: msix.msix }
      },
      capabilities: [powerManagement(), pciExpress()],
      extendedCapabilities: [deviceSerialNumber(serialNumber64(this.#serial))]
    }
  }

  #createController (): NvmeController {
    const { dma, logger, eventLoop } = this.#services
    const namespaces = this.#backends.map((backend, index) => {
      const id = index + 1
      return new Namespace({ id, backend, uuid: nameUuid(`${this.#serial}/namespace/${id}`) })
    })
    const { queues, queueEntries, faultPolicy, graceMs, shadowWatchUs, pollSocketUs, pollIdleUs, pollBackOffMs } =
      this.#options
    const vectors = msixVectorCount(this.#options) || msiVectorCount(this.#options)
    return new NvmeController({
      dma,
      logger,
      faultPolicy,
      graceMs,
      shadowWatchMs: shadowWatchUs / 1000,
      interrupts: this.#function.deviceInterrupts,
      poller: { turnMs: pollSocketUs / 1000, idleMs: pollIdleUs / 1000, backOffMs: pollBackOffMs },
      eventLoop,
      moderatesInterrupts: this.#options.interruptModeration === 'adaptive',
      namespaces: new Namespaces(namespaces, NAMESPACES_MIN),
      limits: { queues, entries: queueEntries, vectors },
      identity: this.#identity()
    }, this.#page)
  }

  #watchSizes (): void {
    const { logger } = this.#services
    for (const [index, backend] of this.#backends.entries()) {
      const onChange = (): void => this.#controller?.namespaceChanged(index + 1)
      this.#sizes.push(watchSize(backend, { everyMs: this.#options.resizeCheckMs, logger, onChange }))
    }
  }

  #identity () {
    const { vendorId, model, firmware, maxTransfer } = this.#options
    return {
      vendorId,
      subsystemVendorId: vendorId,
      serial: this.#serial,
      model,
      firmware,
      subsystemNqn: `nqn.2014-08.org.nvmexpress:uuid:${uuidText(nameUuid(`${this.#serial}/subsystem`))}`,
      controllerId: 0,
      transferBytesMax: maxTransfer,
      hasVolatileCache: this.#backends.some(backend => backend.hasVolatileCache),
      supportsDiscard: this.#backends.some(backend => backend.supportsDiscard),
      // Where the doorbells are polled anyway they would only let the host ring less than is looked for.
      hasDoorbellBuffers: this.#page === undefined
    }
  }
}

function createDoorbellPage (options: NvmeOptions, services: NvmeDeviceServices): DoorbellPage | undefined {
  if (options.doorbells === 'trap') return undefined
  if (services.sharedMemory === undefined) {
    throw new PcikitError(
      'PCIKIT_SERVICE_NOT_FOUND',
      'Mapped doorbells need memory that clients can map, and nothing provides SHARED_MEMORY. Use trapped doorbells, ' +
        'or register a plugin that provides it.'
    )
  }
  return new DoorbellPage(services.sharedMemory.create(`${services.identity.name} doorbells`, DOORBELL_FILE_BYTES))
}
