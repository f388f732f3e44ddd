import { GuestMemory } from '../guest/guest-memory.js'
import type { IrqRecorder } from '../guest/irq-recorder.js'
import { MappedDoorbells } from '../nvme/doorbells.js'
import { PciDriver } from '../pci/pci-driver.js'
import { VfioUserClient } from '../vfio-user/vfio-user-client.js'
import type { VfioUserClientOptions } from '../vfio-user/vfio-user-client.js'
import { VirtioStructureType } from './layouts.js'
import { VirtioPciDriver } from './virtio-pci-driver.js'
import { findStructures } from './virtio-structures.js'
import type { StructurePath } from './virtio-structures.js'

/** How a guest is attached. */
export interface VirtioGuestOptions {
  readonly client?: VfioUserClientOptions
  /** Adds the guest's memory; 16 MiB in one region at 1 MiB unless given. */
  readonly layOut?: (memory: GuestMemory) => void
  readonly doorbells?: 'trap' | 'posted' | 'mmap'
  /** Interrupts in place of polling. */
  readonly interrupts?: 'intx' | 'msix'
  /** MSI-X vectors, all that there are unless given. */
  readonly vectors?: number
  readonly path?: StructurePath
  readonly commandTimeoutMs?: number
}

const MIB = 1024 * 1024

/** A client with memory, the function's bus driver, and a driver for the virtio device, which is not touched yet. */
export class VirtioGuest {
  readonly client: VfioUserClient
  readonly memory: GuestMemory
  readonly pci: PciDriver
  readonly driver: VirtioPciDriver
  readonly irqs: IrqRecorder | undefined
  readonly #doorbells: MappedDoorbells | undefined
  #isGone = false

  private constructor (
    client: VfioUserClient,
    memory: GuestMemory,
    pci: PciDriver,
    driver: VirtioPciDriver,
    irqs: IrqRecorder | undefined,
    doorbells: MappedDoorbells | undefined
  ) {
    this.client = client
    this.memory = memory
    this.pci = pci
    this.driver = driver
    this.irqs = irqs
    this.#doorbells = doorbells
  }

  /** Connects, maps memory and switches the function on, as firmware and bus driver do. */
  static async attach (path: string, options: VirtioGuestOptions = {}): Promise<VirtioGuest> {
    const memory = new GuestMemory()
    const layOut = options.layOut ?? (target => void target.add({ iova: MIB, byteLength: 16 * MIB }))
    layOut(memory)
    const client = await VfioUserClient.connect(path, { memory, ...options.client })
    await memory.map(client)
    const pci = new PciDriver(client)
    await pci.enable()
    const irqs = await enableInterrupts(pci, options)
    const mapped = options.doorbells === 'mmap' ? await mapDoorbells(client, pci) : undefined
    const driver = await VirtioPciDriver.attach({
      access: client,
      pci,
      memory,
      doorbells: mapped ?? (options.doorbells === 'posted' ? 'posted' : 'trap'),
      path: options.path ?? 'bar',
      ...(irqs === undefined ? {} : { interrupts: { kind: options.interrupts!, recorder: irqs } }),
      ...(options.commandTimeoutMs === undefined ? {} : { commandTimeoutMs: options.commandTimeoutMs })
    })
    return new VirtioGuest(client, memory, pci, driver, irqs, mapped)
  }

  /** Requests to the device, one after the other, which give it time to do whatever it does next. */
  async turns (count: number): Promise<void> {
    for (let turn = 0; turn < count; turn++) await this.client.getInfo()
  }

  /** The client goes, without a word to the device. */
  leave (): void {
    if (this.#isGone) return
    this.#isGone = true
    this.driver.abandon('The guest is gone.')
    this.client.close()
    this.#doorbells?.close()
    this.irqs?.close()
    this.memory.close()
  }
}

async function enableInterrupts (pci: PciDriver, options: VirtioGuestOptions): Promise<IrqRecorder | undefined> {
  if (options.interrupts === 'intx') return pci.enableIntx()
  if (options.interrupts !== 'msix') return undefined
  return pci.enableMsix(options.vectors ?? (await pci.msixInfo()).vectorCount)
}

async function mapDoorbells (client: VfioUserClient, pci: PciDriver): Promise<MappedDoorbells> {
  const notify = (await findStructures(pci)).find(({ type }) => type === VirtioStructureType.NOTIFY)
  if (notify === undefined) throw new Error('The device has no notification structure.')
  return MappedDoorbells.map(await client.getRegionInfo(notify.bar), notify.offset)
}
