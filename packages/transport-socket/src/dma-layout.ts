import { Errno, ProtocolError } from '@pcikit/core'
import { DMA_ACCESS_BYTES, DmaAccessLayout, QemuDmaAccessLayout } from './layouts/dma-access.js'

/** The two ways in which DMA_READ and DMA_WRITE are laid out. */
export type DmaMessageLayout = 'specification' | 'qemu'

/** Where the data starts in each of them. */
export const DATA_OFFSET: Readonly<Record<DmaMessageLayout, number>> = Object.freeze({
  specification: DmaAccessLayout.byteLength,
  qemu: QemuDmaAccessLayout.byteLength
})

/** What the reply to a DMA_READ says about the layout that the client has. */
export type Evidence =
  | { readonly kind: 'certain', readonly layout: DmaMessageLayout }
  /** All data is zero, and the same in both. */
  | { readonly kind: 'none' }
  /** The first byte that is not zero is at this offset of the data, if the layout is QEMU's. */
  | { readonly kind: 'ambiguous', readonly firstByte: number }

/**
 * Looks at the reply to a DMA_READ of `count` bytes. The request is the same in both layouts, and so is the length of
 * the reply, but not the place of its data:
 *
 *                    8           12          16                        12 + count   16 + count
 *     specification  count, low  count, high data ───────────────────────────────────────────►
 *     qemu           count       data ───────────────────────────────────────────► 0, padding
 *
 * What is not zero at 12 is data in QEMU's layout. What is not zero in the last four bytes is data in the
 * specification's. Data that starts or ends with four zeroes can leave it open.
 */
export function examineReadReply (view: DataView, position: number, byteLength: number, count: number): Evidence {
  if (byteLength < DMA_ACCESS_BYTES + count) {
    // A structure without the compiler's padding, if it is QEMU's at all.
    if (byteLength === QemuDmaAccessLayout.byteLength + count) return { kind: 'certain', layout: 'qemu' }
    throw new ProtocolError(Errno.EIO, `The client answered a read of ${count} bytes with ${byteLength} bytes in all.`)
  }
  const start = position + QemuDmaAccessLayout.byteLength
  const end = position + DMA_ACCESS_BYTES + count
  for (let at = start; at < end; at++) {
    if (view.getUint8(at) === 0) continue
    const firstByte = at - start
    if (firstByte < 4) return { kind: 'certain', layout: 'qemu' }
    if (firstByte >= count) return { kind: 'certain', layout: 'specification' }
    return { kind: 'ambiguous', firstByte }
  }
  return { kind: 'none' }
}

/** Whether a range has nothing but zeroes, which reads and writes the same in both layouts. */
export function isZero (bytes: Uint8Array): boolean {
  return !bytes.some(byte => byte !== 0)
}
