import type { AccessSize, BarHandler } from '@pcikit/pci'
import { COMMON_CONFIG_AT, DEVICE_CONFIG_AT, ISR_AT, NOTIFY_AT, NOTIFY_STRIDE } from './bar-layout.js'
import type { CommonConfig } from './common-config.js'
import type { DeviceConfig } from './device-config.js'
import type { DeviceState } from './device-state.js'
import type { InterruptSender } from './interrupt-sender.js'
import type { NotificationPage } from './notification-page.js'

/** The queue in a notification; NOTIFICATION_DATA adds how far it is. [virtio] "Driver Notifications". */
const QUEUE_INDEX = 0xffff

/** What answers in the BAR. */
export interface StructuresBarParts {
  readonly state: DeviceState
  readonly common: CommonConfig
  readonly sender: InterruptSender
  readonly config: DeviceConfig
  readonly page: NotificationPage | undefined
}

/** The BAR with all structures of the transport: see `bar-layout.ts`. */
export class StructuresBar implements BarHandler {
  readonly #parts: StructuresBarParts

  constructor (parts: StructuresBarParts) {
    this.#parts = parts
  }

  read (offset: number, size: AccessSize): number {
    const { common, sender, config, page } = this.#parts
    if (offset < ISR_AT) return common.read(offset - COMMON_CONFIG_AT, size)
    if (offset < DEVICE_CONFIG_AT) return offset === ISR_AT ? sender.takeIsr() : 0
    if (offset < NOTIFY_AT) return config.read(offset - DEVICE_CONFIG_AT, size)
    return page?.read(offset - NOTIFY_AT, size) ?? 0
  }

  /** Notifications come first: they are the frequent case. */
  write (offset: number, size: AccessSize, value: number): void | Promise<void> {
    if (offset >= NOTIFY_AT) this.#notify(offset - NOTIFY_AT, size, value)
    else if (offset < ISR_AT) return this.#parts.common.write(offset - COMMON_CONFIG_AT, size, value)
    else if (offset >= DEVICE_CONFIG_AT) this.#parts.config.write(offset - DEVICE_CONFIG_AT, size, value)
  }

  /** The queue is the one that is named, wherever it was written. Less than its 16 bits name none. */
  #notify (offset: number, size: AccessSize, value: number): void {
    if (size === 1 || offset % NOTIFY_STRIDE !== 0) return
    this.#parts.page?.store(offset, value)
    this.#parts.state.notify(value & QUEUE_INDEX)
  }
}
