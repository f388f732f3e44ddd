import { DmaAccess, DmaFault } from '@pcikit/core'
import type {
  BusMasterSwitch,
  Device,
  DeviceState,
  DmaLease,
  DmaSpace,
  Interrupts,
  Logger,
  PciFunction,
  Recorder,
  SegmentList
} from '@pcikit/core'
import { createPciFunction, msixBar, pciExpress, powerManagement, words } from '@pcikit/pci'
import { RegisterBank } from '@pcikit/wire'
import type { RegisterValues } from '@pcikit/wire'
import type { Options } from './options.js'
import { Control, registers, Status } from './registers.js'

/** What the device needs of its surroundings. The host hands it in: see index.ts. */
export interface DeviceServices {
  readonly dma: DmaSpace
  readonly busMaster: BusMasterSwitch
  readonly recorder: Recorder
  readonly logger: Logger
}

/** Who the device says it is. Ids are given out by the PCI-SIG: get some before you publish a device. */
const identity = { vendorId: 0x1234, deviceId: 0x0001, classCode: 0xff_00_00 }

/** Combines a buffer in guest memory with a key, in place. */
export class YourDevice implements Device {
  readonly function: PciFunction
  readonly #options: Options
  readonly #services: DeviceServices
  readonly #interrupts: Interrupts
  readonly #bank = new RegisterBank(registers)
  /** One is enough: there is one buffer at a time. It holds nothing while it is closed. */
  readonly #lease: DmaLease
  /** The end of what began last. */
  #work: Promise<void> = Promise.resolve()
  /** How often the device was reset: work from before does not end in the registers of after. */
  #resets = 0

  constructor (options: Options, services: DeviceServices) {
    this.#options = options
    this.#services = services
    this.#lease = services.dma.createLease()
    const { bar, msix } = msixBar(1, 1)
    const pci = createPciFunction({
      identity,
      bars: [{ index: 0, kind: 'memory32', byteLength: 4096, handler: words(this.#bank) }, bar],
      interrupts: { intxPin: 1, msix },
      capabilities: [powerManagement(), pciExpress()]
    }, { ...services, onReset: () => this.#reset() })
    this.function = pci
    this.#interrupts = pci.deviceInterrupts
    this.#bank.set('LENGTH_MAX', options.lengthMax)
    this.#bank.onWrite('CONTROL', value => this.#control(value))
    this.#bank.onWrite('STATUS', value => this.#showInterrupt(value))
  }

  async close (): Promise<void> {
    this.#reset()
    await this.#services.dma.drain()
  }

  /** What `pcikit dev` hands to new code of this device, once nothing is under way. Yours may keep more. */
  async save (): Promise<DeviceState> {
    await this.#work
    return { registers: this.#bank.save() }
  }

  restore ({ registers }: DeviceState): void {
    this.#bank.restore(registers as RegisterValues)
    this.#bank.set('LENGTH_MAX', this.#options.lengthMax)
  }

  /** Everything as at power-on. The function waits for what is under way, or cuts it off, before it goes on. */
  #reset (): void {
    this.#resets += 1
    this.#bank.reset()
    this.#bank.set('LENGTH_MAX', this.#options.lengthMax)
  }

  #control (value: number): void {
    this.#bank.set('CONTROL', 0)
    if (!Control.START.isSet(value)) return
    const length = this.#bank.get('LENGTH')
    if (this.#lease.isOpen || length === 0 || length > this.#options.lengthMax) this.#finish(Status.FAILED.mask)
    else this.#work = this.#run(length)
  }

  async #run (length: number): Promise<void> {
    const resets = this.#resets
    this.#bank.set('STATUS', Status.BUSY.mask)
    const fault = await this.#transfer(this.#bufferIova(), length, this.#bank.get('KEY'))
    if (resets === this.#resets) this.#finish(fault === DmaFault.NONE ? Status.DONE.mask : Status.FAILED.mask)
  }

  /**
   * Everything between `open` and `close` may take its time: where the client does not share its memory, `fetch` and
   * `commit` send messages. A fault is a value: a guest may give any address.
   */
  async #transfer (iova: number, length: number, key: number): Promise<DmaFault> {
    const lease = this.#lease
    lease.open(DmaAccess.READ_WRITE)
    try {
      const mapped = lease.append(iova, length)
      if (mapped !== DmaFault.NONE) return mapped
      const fetched = await lease.fetch()
      if (fetched !== DmaFault.NONE) return fetched
      combine(lease, key)
      return await lease.commit()
    } finally {
      lease.close()
    }
  }

  #bufferIova (): number {
    return this.#bank.get('BUFFER_HIGH') * 2 ** 32 + this.#bank.get('BUFFER')
  }

  /** Shows how it ended and raises the interrupt: the message of vector 0, or the pin where the driver chose that. */
  #finish (status: number): void {
    this.#bank.set('STATUS', status)
    this.#showInterrupt(status)
    this.#interrupts.trigger(0)
  }

  /** The pin is a level: it holds until the driver has cleared what it stands for. */
  #showInterrupt (status: number): void {
    this.#interrupts.setIntx(Status.DONE.isSet(status) || Status.FAILED.isSet(status))
  }
}

/** The buffer may be in several pieces. Never look outside of a piece: the array is over a whole mapping. */
function combine (buffer: SegmentList, key: number): void {
  for (let index = 0; index < buffer.segmentCount; index += 1) {
    const start = buffer.offsetAt(index)
    const piece = buffer.bytesAt(index).subarray(start, start + buffer.lengthAt(index))
    piece.forEach((byte, at) => {
      piece[at] = byte ^ key
    })
  }
}
