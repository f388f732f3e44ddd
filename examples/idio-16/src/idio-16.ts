import type { Device, PciFunction } from '@pcikit/core'
import { createPciFunction } from '@pcikit/pci'
import type { BarHandler, DescribedPciFunction, PciServices } from '@pcikit/pci'
import type { Idio16Options } from './options.js'

/** [PCIe] "Class Code": other data acquisition controller. */
const CLASS_CODE = 0x11_80_00
/** The ports are behind the third BAR. The first two are the bus bridge's own, on a real card. */
const BAR = 2

/** The card's I/O ports, each of 8 bits. ACCES PCI-IDIO-16 User Manual, "Chapter 4: Programming". */
const Port = Object.freeze(
  {
    OUTPUTS_LOW: 0,
    /** Writing anything clears the interrupt. */
    INPUTS_LOW: 1,
    /** Reading switches interrupts on, writing anything switches them off. */
    INTERRUPT_CONTROL: 2,
    /** Reading switches the filters on, writing anything switches them off. */
    FILTER_CONTROL: 3,
    OUTPUTS_HIGH: 4,
    INPUTS_HIGH: 5,
    INTERRUPT_STATUS: 6,
    FILTERS_LOW: 7
  } as const
)
const PORT_COUNT = 8

/** The status while an interrupt is pending. Linux knows it by bit 2; older versions want bit 0 or 1 as well. */
const INTERRUPT_PENDING = 0x5

/** The card: 16 outputs, 16 inputs, and an interrupt when an input changes. */
export class Idio16 implements Device {
  readonly #options: Idio16Options
  readonly #function: DescribedPciFunction
  readonly #timer: NodeJS.Timeout | undefined
  #outputs = 0
  #inputs = 0
  /** Kept and shown. There is no noise here that they would keep out. */
  #filters = 0
  #isInterruptEnabled = false
  #isInterruptPending = false

  constructor (options: Idio16Options, services: Omit<PciServices, 'onReset'>) {
    this.#options = options
    this.#function = createPciFunction({
      identity: { vendorId: 0x494f, deviceId: 0x0dc8, classCode: CLASS_CODE },
      bars: [{ index: BAR, kind: 'io', byteLength: PORT_COUNT, handler: this.#createHandler() }],
      interrupts: { intxPin: 1 }
    }, { ...services, onReset: () => this.#reset() })
    if (options.inputs === 'pattern') this.#inputs = options.pattern
    if (options.inputs === 'count') this.#timer = setInterval(() => this.#setInputs(this.#inputs + 1), options.countMs)
  }

  get function (): PciFunction {
    return this.#function
  }

  async close (): Promise<void> {
    clearInterval(this.#timer)
  }

  /** Wider accesses are those of the ports one after the other. */
  #createHandler (): BarHandler {
    return {
      read: (port, size) => {
        let value = 0
        for (let index = 0; index < size; index++) value += this.#read(port + index) * 2 ** (8 * index)
        return value
      },
      write: (port, size, value) => {
        for (let index = 0; index < size; index++) this.#write(port + index, value >>> 8 * index & 0xff)
      }
    }
  }

  #read (port: number): number {
    if (port === Port.OUTPUTS_LOW) return this.#outputs & 0xff
    if (port === Port.OUTPUTS_HIGH) return this.#outputs >>> 8
    if (port === Port.INPUTS_LOW) return this.#inputs & 0xff
    if (port === Port.INPUTS_HIGH) return this.#inputs >>> 8
    if (port === Port.INTERRUPT_STATUS) return this.#isInterruptPending ? INTERRUPT_PENDING : 0
    if (port === Port.FILTERS_LOW) return this.#filters
    if (port === Port.INTERRUPT_CONTROL) this.#isInterruptEnabled = true
    if (port === Port.FILTER_CONTROL) this.#filters = 0xff
    return 0
  }

  #write (port: number, value: number): void {
    if (port === Port.OUTPUTS_LOW) this.#setOutputs((this.#outputs & 0xff00) | value)
    if (port === Port.OUTPUTS_HIGH) this.#setOutputs((this.#outputs & 0x00ff) | value << 8)
    if (port === Port.INPUTS_LOW) this.#setInterrupt(false)
    if (port === Port.INTERRUPT_CONTROL) {
      this.#isInterruptEnabled = false
      this.#setInterrupt(false)
    }
    if (port === Port.FILTER_CONTROL) this.#filters = 0
    if (port === Port.FILTERS_LOW) this.#filters = value
  }

  #setOutputs (levels: number): void {
    this.#outputs = levels
    if (this.#options.inputs === 'loopback') this.#setInputs(levels)
  }

  #setInputs (levels: number): void {
    const next = levels & 0xffff
    if (next !== this.#inputs && this.#isInterruptEnabled) this.#setInterrupt(true)
    this.#inputs = next
  }

  #setInterrupt (isPending: boolean): void {
    this.#isInterruptPending = isPending
    this.#function.deviceInterrupts.setIntx(isPending)
  }

  /** The state of power-on. What is wired to the inputs is not the card's to reset. */
  #reset (): void {
    this.#filters = 0
    this.#isInterruptEnabled = false
    this.#setInterrupt(false)
    this.#setOutputs(0)
  }
}
