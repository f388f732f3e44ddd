import type { AccessSize, BarHandler } from '@pcikit/pci'
import { struct, u16, u32, u8 } from '@pcikit/wire'
import { VirtioFeature } from '../feature.js'
import type { DeviceConfig } from './device-config.js'
import type { DeviceState } from './device-state.js'
import type { InterruptSender } from './interrupt-sender.js'
import { NO_VECTOR } from './interrupt-sender.js'
import { QueueArea } from './queue-setup.js'
import type { QueueSetup } from './queue-setup.js'

/** struct virtio_pci_common_cfg. [virtio] "Common configuration structure layout". 64-bit fields are two halves. */
export const CommonConfigLayout = struct('virtio_pci_common_cfg', 64, {
  deviceFeatureSelect: u32(0x00),
  deviceFeature: u32(0x04),
  driverFeatureSelect: u32(0x08),
  driverFeature: u32(0x0c),
  configMsixVector: u16(0x10),
  numQueues: u16(0x12),
  deviceStatus: u8(0x14),
  configGeneration: u8(0x15),
  queueSelect: u16(0x16),
  queueSize: u16(0x18),
  queueMsixVector: u16(0x1a),
  queueEnable: u16(0x1c),
  queueNotifyOff: u16(0x1e),
  queueDesc: u32(0x20),
  queueDescHigh: u32(0x24),
  queueDriver: u32(0x28),
  queueDriverHigh: u32(0x2c),
  queueDevice: u32(0x30),
  queueDeviceHigh: u32(0x34),
  queueNotifConfigData: u16(0x38),
  queueReset: u16(0x3a),
  adminQueueIndex: u16(0x3c),
  adminQueueNum: u16(0x3e)
})

type CommonField = Exclude<keyof typeof CommonConfigLayout, 'byteLength'>

/** What a field does. Without `write` the driver only reads it. */
interface FieldBehaviour {
  read(): number
  write?(value: number): void | Promise<void>
}

/** A field at its place. */
interface PlacedField extends FieldBehaviour {
  readonly offset: number
  readonly size: number
}

/** Bits of so many bytes. */
const MASKS = [0, 0xff, 0xffff, 0xff_ffff, 0xffff_ffff] as const

/** What the fields are in front of. */
export interface CommonConfigParts {
  readonly state: DeviceState
  readonly queues: readonly QueueSetup[]
  readonly sender: InterruptSender
  readonly config: DeviceConfig
}

/**
 * The common configuration: how a driver finds, negotiates, and sets up. Drivers access each field by its own width; an
 * access across fields reaches each of them in turn, and one of a part of a field leaves the rest of it.
 */
export class CommonConfig implements BarHandler {
  readonly #parts: CommonConfigParts
  /** By byte. */
  readonly #fields: (PlacedField | undefined)[] = []
  #deviceFeatureSelect = 0
  #driverFeatureSelect = 0
  #queueSelect = 0

  constructor (parts: CommonConfigParts) {
    this.#parts = parts
    const behaviours: Readonly<Record<CommonField, FieldBehaviour>> = {
      ...this.#deviceFields(),
      ...this.#queueFields()
    }
    for (const [name, behaviour] of Object.entries(behaviours) as [CommonField, FieldBehaviour][]) {
      const { offset, size } = CommonConfigLayout[name]
      for (let byte = 0; byte < size; byte++) this.#fields[offset + byte] = { ...behaviour, offset, size }
    }
  }

  /** Beyond the structure there is nothing, and nothing reads as zero. */
  read (offset: number, size: AccessSize): number {
    let value = 0
    for (let at = offset; at < offset + size;) {
      const field = this.#fields[at]
      if (field === undefined) break
      value |= (field.read() >>> ((at - field.offset) * 8)) << ((at - offset) * 8)
      at = field.offset + field.size
    }
    return (value & MASKS[size]) >>> 0
  }

  write (offset: number, size: AccessSize, value: number): void | Promise<void> {
    const end = offset + size
    let done: void | Promise<void> = undefined
    for (let at = offset; at < end;) {
      const field = this.#fields[at]
      if (field === undefined) break
      const count = Math.min(field.offset + field.size, end) - at
      const shift = (at - field.offset) * 8
      const lanes = MASKS[count]! << shift
      const part = (value >>> ((at - offset) * 8)) << shift
      // Only a reset takes time, and there is one field for that.
      done = field.write?.(((field.read() & ~lanes) | (part & lanes)) >>> 0) ?? done
      at += count
    }
    return done
  }

  /** The state of power-on. */
  reset (): void {
    this.#deviceFeatureSelect = 0
    this.#driverFeatureSelect = 0
    this.#queueSelect = 0
  }

  /** About the whole device. */
  #deviceFields () {
    const { state, sender, config, queues } = this.#parts
    const zero: FieldBehaviour = { read: () => 0 }
    return {
      deviceFeatureSelect: {
        read: () => this.#deviceFeatureSelect,
        write: value => {
          this.#deviceFeatureSelect = value
        }
      },
      deviceFeature: { read: () => state.offered.word(this.#deviceFeatureSelect) },
      driverFeatureSelect: {
        read: () => this.#driverFeatureSelect,
        write: value => {
          this.#driverFeatureSelect = value
        }
      },
      driverFeature: {
        read: () => state.accepted.word(this.#driverFeatureSelect),
        write: value => state.accept(this.#driverFeatureSelect, value)
      },
      configMsixVector: {
        read: () => sender.configVector,
        write: value => {
          sender.configVector = value
        }
      },
      numQueues: { read: () => queues.length },
      deviceStatus: { read: () => state.status, write: value => state.writeStatus(value) },
      configGeneration: { read: () => config.generation },
      // Without ADMIN_VQ there are no such queues.
      adminQueueIndex: zero,
      adminQueueNum: zero
    } satisfies Partial<Record<CommonField, FieldBehaviour>>
  }

  /** About the queue that is selected. A queue that there is not has a size of 0, and is not written. */
  #queueFields () {
    const { state, sender, queues } = this.#parts
    const selected = (): QueueSetup | undefined => queues[this.#queueSelect]
    return {
      queueSelect: {
        read: () => this.#queueSelect,
        write: value => {
          this.#queueSelect = value
        }
      },
      queueSize: {
        read: () => selected()?.sizeShown(state.isPacked) ?? 0,
        write: value => {
          const queue = selected()
          if (queue?.isOpen === true) queue.size = value
        }
      },
      queueMsixVector: {
        read: () => selected() === undefined ? NO_VECTOR : sender.queueVector(this.#queueSelect),
        write: value => {
          if (selected() !== undefined) sender.setQueueVector(this.#queueSelect, value)
        }
      },
      queueEnable: {
        read: () => selected()?.isEnabled === true ? 1 : 0,
        write: value => {
          const queue = selected()
          if (value === 1 && queue !== undefined) state.enableQueue(queue)
        }
      },
      // Each queue has a place of its own, NOTIFY_STRIDE apart.
      queueNotifyOff: { read: () => selected() === undefined ? 0 : this.#queueSelect },
      queueDesc: this.#addressField(QueueArea.DESCRIPTOR, 0),
      queueDescHigh: this.#addressField(QueueArea.DESCRIPTOR, 1),
      queueDriver: this.#addressField(QueueArea.DRIVER, 0),
      queueDriverHigh: this.#addressField(QueueArea.DRIVER, 1),
      queueDevice: this.#addressField(QueueArea.DEVICE, 0),
      queueDeviceHigh: this.#addressField(QueueArea.DEVICE, 1),
      // Without NOTIF_CONFIG_DATA drivers notify with the index, and so does who asks here all the same.
      queueNotifConfigData: { read: () => selected() === undefined ? 0 : this.#queueSelect },
      queueReset: {
        read: () => selected()?.isResetting === true ? 1 : 0,
        write: value => {
          const queue = selected()
          if (value === 1 && queue !== undefined && state.has(VirtioFeature.RING_RESET)) state.resetQueue(queue)
        }
      }
    } satisfies Partial<Record<CommonField, FieldBehaviour>>
  }

  #addressField (area: QueueArea, half: 0 | 1): FieldBehaviour {
    const { queues } = this.#parts
    return {
      read: () => queues[this.#queueSelect]?.addressWord(area, half) ?? 0,
      write: value => queues[this.#queueSelect]?.setAddressWord(area, half, value)
    }
  }
}
