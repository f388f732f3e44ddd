import type { DataBuffer } from '../guest/data-buffer.js'
import type { GuestMemory } from '../guest/guest-memory.js'

const PAGE_BYTES = 4096
const ENTRY_BYTES = 8

/** How a PRP list is to be laid out. */
export interface PrpShape {
  /** Where in its page the first list starts, in bytes, a multiple of 8: the later, the sooner it chains. */
  readonly listOffset?: number
}

/** The two PRP entries of a command and the pages of its lists. */
export interface Prps {
  readonly prp1: number
  readonly prp2: number
  /** Pages that hold lists, to give back when the command is done. */
  readonly lists: readonly number[]
}

/**
 * Describes a buffer by PRPs: two entries, or one and a list, chained through the last entry of each page of the list.
 * [NVMe-Base] "Physical Region Page Entry and List".
 */
export function buildPrps (memory: GuestMemory, buffer: DataBuffer, shape: PrpShape = {}): Prps {
  const [prp1 = 0, ...rest] = buffer.pages
  if (buffer.byteLength === 0 || rest.length === 0) return { prp1, prp2: 0, lists: [] }
  if (rest.length === 1) return { prp1, prp2: rest[0]!, lists: [] }
  const lists: number[] = []
  let remaining = rest
  let at = allocateList(memory, lists) + (shape.listOffset ?? 0)
  const prp2 = at
  while (remaining.length > 0) {
    const slots = (PAGE_BYTES - at % PAGE_BYTES) / ENTRY_BYTES
    const isLast = remaining.length <= slots
    const entries = remaining.slice(0, isLast ? slots : slots - 1)
    remaining = remaining.slice(entries.length)
    const next = isLast ? undefined : allocateList(memory, lists)
    memory.store(at, encodeEntries(next === undefined ? entries : [...entries, next]))
    at = next ?? at
  }
  return { prp1, prp2, lists }
}

function allocateList (memory: GuestMemory, lists: number[]): number {
  const page = memory.allocate(PAGE_BYTES)
  lists.push(page)
  return page
}

function encodeEntries (entries: readonly number[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(entries, entry => BigInt(entry)).buffer)
}
