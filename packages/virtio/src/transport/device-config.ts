import type { AccessSize, BarHandler } from '@pcikit/pci'
import type { VirtioConfig } from '../device-model.js'

/** How the configuration is written. */
export interface DeviceConfigWrites {
  /** Whether the driver negotiated. [virtio] "Device Initialization": before that it "MUST NOT write". */
  mayWrite(): boolean
  /** Calls what the author of the device wrote. */
  guard(call: () => void): void
}

/**
 * The device-specific configuration as the driver reads it, and its generation.
 *
 * The generation counts up when the driver first reads after a change, not at the change: counting changes would come
 * round after 256 of them, unseen. [virtio] "Common configuration structure layout", a note there.
 */
export class DeviceConfig implements BarHandler {
  readonly #config: VirtioConfig | undefined
  readonly #writes: DeviceConfigWrites
  #isChanged = false
  #generation = 0

  constructor (config: VirtioConfig | undefined, writes: DeviceConfigWrites) {
    this.#config = config
    this.#writes = writes
  }

  /** config_generation, 8 bits. */
  get generation (): number {
    return this.#generation
  }

  markChanged (): void {
    this.#isChanged = true
  }

  /** Bytes that the device does not have read as zero. */
  read (offset: number, size: AccessSize): number {
    if (this.#isChanged) {
      this.#isChanged = false
      this.#generation = (this.#generation + 1) & 0xff
    }
    const view = this.#config?.view
    if (view === undefined) return 0
    let value = 0
    const count = Math.min(size, view.byteLength - offset)
    for (let index = 0; index < count; index++) value |= view.getUint8(offset + index) << (index * 8)
    return value >>> 0
  }

  write (offset: number, size: AccessSize, value: number): void {
    const config = this.#config
    if (config?.write === undefined || offset + size > config.view.byteLength || !this.#writes.mayWrite()) return
    this.markChanged()
    this.#writes.guard(() => config.write?.(offset, size, value))
  }
}
