import { setTimeout as delay } from 'node:timers/promises'
import type { RegionAccess } from '../vfio-user/vfio-user-client.js'
import { CapHigh, CapLow, Cc, Csts, Property } from './layouts.js'

const BAR0 = 0

/** What CAP says. [NVMe-Base] "Controller Capabilities". */
export interface ControllerCapabilities {
  /** Entries that a queue can have: MQES is one less. */
  readonly queueDepthMax: number
  readonly contiguousQueuesRequired: boolean
  /** How long CSTS.RDY may take to change. */
  readonly readyTimeoutMs: number
  readonly doorbellStride: number
  readonly commandSets: number
  readonly pageShiftMin: number
  readonly pageShiftMax: number
}

/** The controller reported a fatal status, or did not get ready in the time that it asked for. */
export class ControllerFatalError extends Error {
  constructor (message: string) {
    super(message)
    this.name = 'ControllerFatalError'
  }
}

/** The controller's registers, by region reads and writes. */
export class ControllerRegisters {
  readonly #access: RegionAccess
  readonly #registerBytes: 4 | 8

  /** 64-bit registers are accessed as two words, the lower one first, or as a whole. */
  constructor (access: RegionAccess, registerBytes: 4 | 8 = 4) {
    this.#access = access
    this.#registerBytes = registerBytes
  }

  async read32 (offset: number): Promise<number> {
    const bytes = await this.#access.readRegion(BAR0, offset, 4)
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true)
  }

  async write32 (offset: number, value: number): Promise<void> {
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setUint32(0, value, true)
    await this.#access.writeRegion(BAR0, offset, bytes)
  }

  /** Reads a 64-bit register. */
  async read64 (offset: number): Promise<readonly [low: number, high: number]> {
    if (this.#registerBytes === 4) return [await this.read32(offset), await this.read32(offset + 4)]
    const bytes = await this.#access.readRegion(BAR0, offset, 8)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return [view.getUint32(0, true), view.getUint32(4, true)]
  }

  /** Writes a 64-bit register. */
  async write64 (offset: number, value: number): Promise<void> {
    if (this.#registerBytes === 8) {
      const bytes = new Uint8Array(8)
      new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true)
      await this.#access.writeRegion(BAR0, offset, bytes)
      return
    }
    await this.write32(offset, value >>> 0)
    await this.write32(offset + 4, Math.floor(value / 0x1_0000_0000))
  }

  async capabilities (): Promise<ControllerCapabilities> {
    const [low, high] = await this.read64(Property.CAP)
    return {
      queueDepthMax: CapLow.MQES.get(low) + 1,
      contiguousQueuesRequired: CapLow.CQR.isSet(low),
      readyTimeoutMs: CapLow.TO.get(low) * 500,
      doorbellStride: CapHigh.DSTRD.get(high),
      commandSets: CapHigh.CSS.get(high),
      pageShiftMin: 12 + CapHigh.MPSMIN.get(high),
      pageShiftMax: 12 + CapHigh.MPSMAX.get(high)
    }
  }

  /** CSTS, decoded. */
  async status (): Promise<{ ready: boolean, fatal: boolean, shutdown: number }> {
    const csts = await this.read32(Property.CSTS)
    return { ready: Csts.RDY.isSet(csts), fatal: Csts.CFS.isSet(csts), shutdown: Csts.SHST.get(csts) }
  }

  /** Waits until CSTS.RDY has a value. Throws on a fatal status, unless the controller is being disabled. */
  async waitReady (ready: boolean, timeoutMs: number): Promise<void> {
    await this.#until(`CSTS.RDY = ${ready ? 1 : 0}`, timeoutMs, async () => {
      const status = await this.status()
      if (status.fatal && ready) throw new ControllerFatalError('The controller reports a fatal status (CSTS.CFS).')
      return status.ready === ready
    })
  }

  /** Waits until CSTS.CFS is set. */
  async waitFatal (timeoutMs = 10_000): Promise<void> {
    await this.#until('CSTS.CFS = 1', timeoutMs, async () => (await this.status()).fatal)
  }

  /** Asks for a shutdown, normal (1) or abrupt (2), and waits until CSTS says that it is complete. */
  async shutDown (notification: 1 | 2 = 1, timeoutMs = 10_000): Promise<void> {
    await this.write32(Property.CC, Cc.SHN.set(await this.read32(Property.CC), notification))
    await this.#until('CSTS.SHST = 2', timeoutMs, async () => (await this.status()).shutdown === 2)
  }

  async #until (what: string, timeoutMs: number, isTrue: () => Promise<boolean>): Promise<void> {
    const end = performance.now() + timeoutMs
    while (!await isTrue()) {
      if (performance.now() > end) throw new ControllerFatalError(`${what} did not come within ${timeoutMs} ms.`)
      await delay(1)
    }
  }
}
