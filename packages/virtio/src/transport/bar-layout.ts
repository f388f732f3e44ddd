/**
 * Where the structures are. Each is on a page of its own, as guests and clients may map them one by one.
 *
 * ```
 *   BAR 1, memory32   MSI-X table, PBA
 *   BAR 2, memory64   shared memory, where the device has some
 *   BAR 4, memory64   0000h common configuration
 *                     1000h ISR status
 *                     2000h device-specific configuration
 *                     3000h notifications, 4 bytes for each queue
 * ```
 */
export const MSIX_BAR = 1
export const SHARED_MEMORY_BAR = 2
export const STRUCTURES_BAR = 4

export const COMMON_CONFIG_AT = 0x0000
export const ISR_AT = 0x1000
export const DEVICE_CONFIG_AT = 0x2000
export const NOTIFY_AT = 0x3000

export const DEVICE_CONFIG_BYTES_MAX = NOTIFY_AT - DEVICE_CONFIG_AT
/** notify_off_multiplier: with NOTIFICATION_DATA a notification has 4 bytes. [virtio] "Notification capability". */
export const NOTIFY_STRIDE = 4

const PAGE_BYTES = 4096

/** Bytes of the notification structure, in pages. */
export function notifyPageBytes (queueCount: number): number {
  return Math.max(1, Math.ceil(queueCount * NOTIFY_STRIDE / PAGE_BYTES)) * PAGE_BYTES
}

/** Bytes of the BAR that holds the structures. */
export function structuresBarBytes (queueCount: number): number {
  return barBytes(NOTIFY_AT + notifyPageBytes(queueCount))
}

/** The smallest BAR that holds so many bytes. */
export function barBytes (byteLength: number): number {
  return 2 ** Math.ceil(Math.log2(byteLength))
}
