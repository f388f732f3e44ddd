// The driver's side of the device, with a table of its own: a wrong offset does not agree with itself.
import type { RegionAccess } from '@pcikit/testkit'

/** Registers by their offsets in BAR 0. */
export const Register = Object.freeze({
  IDENTIFICATION: 0x00,
  LIVENESS: 0x04,
  FACTORIAL: 0x08,
  STATUS: 0x20,
  INTERRUPT_STATUS: 0x24,
  INTERRUPT_RAISE: 0x60,
  INTERRUPT_ACKNOWLEDGE: 0x64,
  DMA_SOURCE: 0x80,
  DMA_DESTINATION: 0x88,
  DMA_COUNT: 0x90,
  DMA_COMMAND: 0x98
})

/** Where the device's buffer is, for its DMA engine. */
export const BUFFER = 0x4_0000
export const BUFFER_BYTES = 4096

const RUN = 1
const TO_MEMORY = 2
const INTERRUPT = 4

/** How a transfer is started. */
export interface TransferOptions {
  /** Where in the buffer; at its start unless given. */
  readonly bufferOffset?: number
  readonly interrupt?: boolean
}

/** What a kernel's driver would do with the device. */
export class EduDriver {
  readonly #access: RegionAccess

  constructor (access: RegionAccess) {
    this.#access = access
  }

  async read (offset: number): Promise<number> {
    const bytes = await this.#access.readRegion(0, offset, 4)
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
  }

  async write (offset: number, value: number): Promise<void> {
    await this.#access.writeRegion(0, offset, new Uint8Array(Uint32Array.of(value).buffer))
  }

  /** One access of 8 bytes. */
  async write64 (offset: number, value: bigint): Promise<void> {
    await this.#access.writeRegion(0, offset, new Uint8Array(BigUint64Array.of(value).buffer))
  }

  async read64 (offset: number): Promise<bigint> {
    const bytes = await this.#access.readRegion(0, offset, 8)
    return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true)
  }

  /** Waits for what was written to the factorial register. */
  async factorial (value: number): Promise<number> {
    await this.write(Register.FACTORIAL, value)
    while ((await this.read(Register.STATUS) & 1) !== 0);
    return this.read(Register.FACTORIAL)
  }

  /** Programs a transfer from guest memory to the buffer and starts it. */
  async load (iova: number, byteLength: number, options: TransferOptions = {}): Promise<void> {
    const flags = options.interrupt === true ? INTERRUPT : 0
    await this.#start(iova, BUFFER + (options.bufferOffset ?? 0), byteLength, flags)
  }

  /** Programs a transfer from the buffer to guest memory and starts it. */
  async store (iova: number, byteLength: number, options: TransferOptions = {}): Promise<void> {
    const flags = TO_MEMORY | (options.interrupt === true ? INTERRUPT : 0)
    await this.#start(BUFFER + (options.bufferOffset ?? 0), iova, byteLength, flags)
  }

  async isRunning (): Promise<boolean> {
    return (await this.read(Register.DMA_COMMAND) & RUN) !== 0
  }

  /** Asks the device until its transfer is over. */
  async finish (): Promise<void> {
    while (await this.isRunning());
  }

  async #start (source: number, destination: number, byteLength: number, flags: number): Promise<void> {
    await this.write64(Register.DMA_SOURCE, BigInt(source))
    await this.write64(Register.DMA_DESTINATION, BigInt(destination))
    await this.write64(Register.DMA_COUNT, BigInt(byteLength))
    await this.write(Register.DMA_COMMAND, RUN | flags)
  }
}
