import { PcikitError } from '@pcikit/core'
import type { Interrupts, PciFunction } from '@pcikit/core'
import type { DescribedPciFunction } from '@pcikit/pci'
import type { VirtioDescription, VirtioDevice, VirtioModel, VirtioServices } from '../device-model.js'
import type { FeatureSet } from '../feature.js'
import type { QueueEngine, QueueSurroundings } from '../queue/queue-engine.js'

import { NOTIFY_AT, notifyPageBytes } from './bar-layout.js'
import { CommonConfig } from './common-config.js'
import { DeviceConfig } from './device-config.js'
import { planDevice } from './device-plan.js'
import type { DevicePlan } from './device-plan.js'
import { DeviceState } from './device-state.js'
import { InterruptSender } from './interrupt-sender.js'
import { NotificationPage } from './notification-page.js'
import { QueueSetup } from './queue-setup.js'
import { StructuresBar } from './structures-bar.js'
import { createVirtioFunction } from './virtio-function.js'

/** A virtio device on the PCI bus: puts the parts of the transport together. */
export class VirtioPciDevice implements VirtioDevice {
  readonly #pci: DescribedPciFunction
  readonly #state: DeviceState
  readonly #config: DeviceConfig
  readonly #page: NotificationPage | undefined

  /** Throws PCIKIT_VIRTIO_DESCRIPTION_INVALID or PCIKIT_PCI_LAYOUT_INVALID for a description of what cannot be. */
  constructor (
    description: VirtioDescription,
    services: VirtioServices,
    model: VirtioModel,
    createEngine: (surroundings: QueueSurroundings) => QueueEngine
  ) {
    const plan = planDevice(description)
    const { dma, busMaster, recorder, logger } = services
    this.#page = createPage(plan, services)
    // The function asks for nothing before it is there, and neither do clients.
    const structures = {
      read: (offset: number, size: 1 | 2 | 4) => bar.read(offset, size),
      write: (offset: number, size: 1 | 2 | 4, value: number) => bar.write(offset, size, value)
    }
    const onReset = () => this.#state.reset()
    this.#pci = createVirtioFunction(plan, structures, this.#page, { dma, busMaster, recorder, logger, onReset })
    const queues = description.queues.map((queue, index) => new QueueSetup(index, queue))
    const sender = new InterruptSender(this.#pci.deviceInterrupts, plan.vectors, queues.length)
    const config = new DeviceConfig(description.config, {
      mayWrite: () => state.hasFeatures,
      guard: call => state.guard('write() of the configuration', call)
    })
    const { times, moderatesInterrupts, faultPolicy, graceMs, offered } = plan
    const state = new DeviceState({
      logger,
      dma,
      model,
      offered,
      queues,
      sender,
      createEngine: events => {
        const asked = { queues: description.queues, times, moderatesInterrupts, faultPolicy, graceMs }
        return createEngine({ dma, logger, eventLoop: services.eventLoop, ...asked, events })
      },
      onReset: () => {
        sender.reset()
        common.reset()
      }
    })
    const common = new CommonConfig({ state, queues, sender, config })
    const bar = new StructuresBar({ state, common, sender, config, page: this.#page })
    this.#state = state
    this.#config = config
  }

  get function (): PciFunction {
    return this.#pci
  }

  get interrupts (): Interrupts {
    return this.#pci.deviceInterrupts
  }

  get features (): FeatureSet {
    return this.#state.features
  }

  configChanged (): void {
    this.#config.markChanged()
    this.#state.configChanged()
  }

  fail (reason: string): void {
    this.#state.fail(reason)
  }

  clientGone (): void {
    this.#state.clientGone()
  }

  async close (): Promise<void> {
    await this.#state.close()
    this.#page?.close()
  }
}

function createPage ({ times, description }: DevicePlan, services: VirtioServices): NotificationPage | undefined {
  if (times.doorbells === 'trap') return undefined
  if (services.sharedMemory === undefined) {
    throw new PcikitError(
      'PCIKIT_SERVICE_NOT_FOUND',
      'Mapped notifications need memory that clients can map, and nothing provides SHARED_MEMORY. Use trapped ' +
        'doorbells, or register a plugin that provides it.'
    )
  }
  const byteLength = NOTIFY_AT + notifyPageBytes(description.queues.length)
  return new NotificationPage(services.sharedMemory.create(`${services.name} notifications`, byteLength))
}
