import { MSIX_ENTRY_BYTES } from './capabilities/msix.js'
import type { BarDescription, MsixDescription } from './description.js'

/** The smallest part of a BAR that a client maps, or maps around. */
const PAGE_BYTES = 4096

/**
 * A BAR for MSI-X alone: the table in its lower half and the PBA in its upper, each on pages of its own, so that a
 * client can map around the table.
 */
export function msixBar (
  index: number,
  vectors: number
): { readonly bar: BarDescription, readonly msix: MsixDescription } {
  const half = Math.max(PAGE_BYTES, 2 ** Math.ceil(Math.log2(vectors * MSIX_ENTRY_BYTES)))
  return {
    bar: { index, kind: 'memory32', byteLength: half * 2 },
    msix: { vectors, tableBar: index, tableOffset: 0, pbaBar: index, pbaOffset: half }
  }
}
