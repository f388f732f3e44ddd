import { DmaFault } from '@pcikit/core'
import type { Device, DeviceState, DmaSpace, Logger, PciFunction } from '@pcikit/core'
import { createPciFunction, words } from '@pcikit/pci'
import type { BarHandler, DescribedPciFunction, PciServices } from '@pcikit/pci'
import { RegisterBank } from '@pcikit/wire'
import type { RegisterValues } from '@pcikit/wire'
import { BUFFER_OFFSET, DmaEngine } from './dma-engine.js'
import type { Transfer } from './dma-engine.js'
import { factorial } from './factorial.js'
import type { EduOptions } from './options.js'
import { DmaCommand, eduRegisters, InterruptCause, Status } from './registers.js'

/** Far more than the registers take: part of it is where the buffer would be, which no access reaches. */
const BAR_BYTES = 0x10_0000
const WORD = 0x1_0000_0000
const ONES = 0xffff_ffff

/** What the device keeps while its code is exchanged. */
type EduState = { readonly registers: RegisterValues, readonly buffer: Uint8Array }

/** What the device needs of its surroundings. */
export interface EduServices extends Omit<PciServices, 'onReset' | 'onPowerState'> {
  readonly dma: DmaSpace
}

/** The educational device. Whatever takes time happens after the access that began it, in a turn of its own. */
export class Edu implements Device {
  readonly #dmaMask: number
  readonly #logger: Logger
  readonly #registers = new RegisterBank(eduRegisters)
  readonly #engine: DmaEngine
  readonly #function: DescribedPciFunction
  /** A factorial that was asked for. */
  #factorial: NodeJS.Immediate | undefined = undefined
  /** A transfer that was asked for and has not begun. */
  #transfer: NodeJS.Immediate | undefined = undefined
  /** The end of the transfer that began last. */
  #lastTransfer: Promise<void> = Promise.resolve()
  /** How often the device was reset. What began before the last time changes nothing. */
  #resetCount = 0

  constructor (options: EduOptions, services: EduServices) {
    this.#dmaMask = options.dmaMask
    this.#logger = services.logger
    this.#engine = new DmaEngine(services.dma)
    this.#function = createPciFunction({
      identity: { vendorId: 0x1234, deviceId: 0x11e8, revisionId: 0x10, classCode: 0x00_ff_00 },
      bars: [{ index: 0, kind: 'memory32', byteLength: BAR_BYTES, handler: this.#createHandler() }],
      interrupts: { intxPin: 1, msi: { vectors: 1, maskable: false } }
    }, { ...services, onReset: () => this.#reset() })
    this.#registers.onWrite('LIVENESS', value => this.#registers.set('LIVENESS', ~value))
    this.#registers.onWrite('FACTORIAL', () => this.#beginFactorial())
    this.#registers.onWrite('INTERRUPT_RAISE', causes => this.#raise(causes))
    this.#registers.onWrite('INTERRUPT_ACKNOWLEDGE', causes => this.#acknowledge(causes))
    this.#registers.onWrite('COMMAND', command => this.#beginTransfer(command))
  }

  get function (): PciFunction {
    return this.#function
  }

  async close (): Promise<void> {
    this.#reset()
    await this.#lastTransfer
  }

  /** Whatever was asked for has begun a turn later, and is over with the last transfer. */
  async save (): Promise<EduState> {
    await new Promise(resolve => setImmediate(resolve))
    await this.#lastTransfer
    return { registers: this.#registers.save(), buffer: this.#engine.contents }
  }

  restore (state: DeviceState): void {
    const { registers, buffer } = state as EduState
    this.#registers.restore(registers)
    this.#engine.contents = buffer
  }

  /** Registers have 32 bits. Narrower accesses read ones and write nothing, as do writes to what is at work. */
  #createHandler (): BarHandler {
    const whole = words(this.#registers)
    return {
      read: (offset, size) => size === 4 ? whole.read(offset, size) : ONES,
      write: (offset, size, value) => {
        if (size === 4 && !this.#isLocked(offset)) return whole.write(offset, size, value)
      }
    }
  }

  #isLocked (offset: number): boolean {
    if (offset === eduRegisters.FACTORIAL.offset) return Status.COMPUTING.isSet(this.#registers.get('STATUS'))
    return offset >= eduRegisters.SOURCE.offset && DmaCommand.RUN.isSet(this.#registers.get('COMMAND'))
  }

  #beginFactorial (): void {
    this.#registers.set('STATUS', Status.COMPUTING.set(this.#registers.get('STATUS'), 1))
    this.#factorial = setImmediate(() => {
      const status = this.#registers.get('STATUS')
      this.#registers.set('FACTORIAL', factorial(this.#registers.get('FACTORIAL')))
      this.#registers.set('STATUS', Status.COMPUTING.set(status, 0))
      if (Status.INTERRUPT.isSet(status)) this.#raise(InterruptCause.FACTORIAL)
    })
  }

  #beginTransfer (command: number): void {
    if (!DmaCommand.RUN.isSet(command)) return
    this.#transfer = setImmediate(() => {
      this.#lastTransfer = this.#runTransfer(command)
    })
  }

  /** There is no register for errors: a transfer that failed is over like any other, and the log says why. */
  async #runTransfer (command: number): Promise<void> {
    const resetCount = this.#resetCount
    const transfer = this.#readTransfer(command)
    if (!DmaEngine.fits(transfer)) {
      this.#logger.debug({ ...transfer }, 'A transfer that does not fit in the buffer was not carried out.')
    } else if (transfer.byteLength > 0) {
      const fault = await this.#engine.run(transfer)
      if (fault !== DmaFault.NONE) this.#logger.debug({ ...transfer, fault }, 'A transfer did not reach its memory.')
    }
    if (resetCount !== this.#resetCount) return
    this.#registers.set('COMMAND', DmaCommand.RUN.set(command, 0))
    if (DmaCommand.INTERRUPT.isSet(command)) this.#raise(InterruptCause.DMA)
  }

  #readTransfer (command: number): Transfer {
    const toMemory = DmaCommand.TO_MEMORY.isSet(command)
    const [memory, buffer] = toMemory ? ['TARGET', 'SOURCE'] as const : ['SOURCE', 'TARGET'] as const
    return {
      toMemory,
      iova: this.#maskAddress(this.#registers.get(memory), this.#registers.get(`${memory}_HIGH`)),
      bufferOffset: this.#read64(buffer) - BUFFER_OFFSET,
      byteLength: this.#read64('COUNT')
    }
  }

  /** In halves: only what is left of an address is sure to be exact in a double. */
  #maskAddress (low: number, high: number): number {
    const maskHigh = Math.floor(this.#dmaMask / WORD)
    return ((high & maskHigh) >>> 0) * WORD + ((low & this.#dmaMask) >>> 0)
  }

  #read64 (name: 'SOURCE' | 'TARGET' | 'COUNT'): number {
    return this.#registers.get(`${name}_HIGH`) * WORD + this.#registers.get(name)
  }

  #raise (causes: number): void {
    this.#registers.set('INTERRUPT_RAISE', 0)
    const pending = (this.#registers.get('INTERRUPT_STATUS') | causes) >>> 0
    this.#registers.set('INTERRUPT_STATUS', pending)
    if (pending === 0) return
    // Which of the two is sent is the driver's choice, and the function knows it.
    this.#function.deviceInterrupts.setIntx(true)
    this.#function.deviceInterrupts.trigger(0)
  }

  #acknowledge (causes: number): void {
    this.#registers.set('INTERRUPT_ACKNOWLEDGE', 0)
    const pending = (this.#registers.get('INTERRUPT_STATUS') & ~causes) >>> 0
    this.#registers.set('INTERRUPT_STATUS', pending)
    this.#function.deviceInterrupts.setIntx(pending !== 0)
  }

  /** The function has taken bus mastering away by now, and waits for the memory that is in use after this. */
  #reset (): void {
    this.#resetCount++
    clearImmediate(this.#factorial)
    clearImmediate(this.#transfer)
    this.#engine.reset()
    this.#registers.reset()
  }
}
