import { PcikitError } from '@pcikit/core'
import type { MappableArea } from '@pcikit/core'
import { placeMsix } from './capabilities/msix.js'
import type { MsixPlacement } from './capabilities/msix.js'
import { PCI_EXPRESS } from './capabilities/pci-express.js'
import type { BarDescription, PciDescription, PciIdentity } from './description.js'

const BAR_COUNT = 6
const PAGE = 4096
const MSIX_VECTORS_MAX = 2048

/**
 * Checks what an author declared. Throws PCIKIT_PCI_LAYOUT_INVALID, with what is wrong, why, and what to do.
 * What it accepts has exactly one meaning.
 */
export function assertLayout (description: PciDescription): void {
  assertIdentity(description.identity)
  assertBars(description.bars ?? [])
  if (description.rom?.length === 0) refuse('The expansion ROM is empty.', 'Leave `rom` out.')
  assertMsi(description.interrupts?.msi?.vectors)
  if (description.interrupts?.msix !== undefined) {
    assertMsix(placeMsix(description.interrupts.msix), description.bars ?? [])
  }
  const hasExpress = description.capabilities?.some(({ name }) => name === PCI_EXPRESS) === true
  if (!hasExpress && (description.extendedCapabilities?.length ?? 0) > 0) {
    refuse(
      'There are extended capabilities and no PCI Express capability, without which nobody reads beyond byte 256.',
      'Add pciExpress() to `capabilities`.'
    )
  }
}

function refuse (what: string, remedy: string, details: Record<string, unknown> = {}): never {
  throw new PcikitError('PCIKIT_PCI_LAYOUT_INVALID', `${what} ${remedy}`, { details })
}

function assertIdentity (identity: PciIdentity): void {
  const widths = {
    vendorId: 16,
    deviceId: 16,
    revisionId: 8,
    classCode: 24,
    subsystemVendorId: 16,
    subsystemId: 16
  } as const
  for (const [name, width] of Object.entries(widths)) {
    const value = identity[name as keyof typeof widths] ?? 0
    if (Number.isInteger(value) && value >= 0 && value < 2 ** width) continue
    refuse(`identity.${name} is ${value}.`, `Give a whole number of ${width} bits.`, { name, value })
  }
  if (identity.vendorId === 0xffff) {
    refuse('The vendor ID is FFFFh, which is what an empty slot answers.', 'Choose another.')
  }
}

function assertBars (bars: readonly BarDescription[]): void {
  const taken = new Map<number, number>()
  for (const bar of bars) {
    const { index } = bar
    if (!Number.isInteger(index) || index < 0 || index >= BAR_COUNT) {
      refuse(`There is no BAR ${index}.`, 'Use an index from 0 to 5.', { index })
    }
    if (bar.kind === 'memory64' && index === BAR_COUNT - 1) {
      refuse('BAR 5 cannot be 64 bits wide: there is no register after it for the upper half.', 'Use BAR 4.', { index })
    }
    for (let slot = index; slot <= index + (bar.kind === 'memory64' ? 1 : 0); slot++) {
      const owner = taken.get(slot)
      if (owner !== undefined) {
        const why = owner === slot ? 'is declared already' : `holds the upper half of the 64-bit BAR ${owner}`
        refuse(`BAR ${index} needs register ${slot}, which ${why}.`, 'Use an index that is free.', { index, owner })
      }
      taken.set(slot, index)
    }
    assertBarSize(bar)
    assertAreas(bar)
  }
}

function assertBarSize ({ index, byteLength, kind, prefetchable }: BarDescription): void {
  const [least, most] = kind === 'io' ? [4, 256] : [128, kind === 'memory32' ? 2 ** 31 : 2 ** 52]
  const isPowerOfTwo = Number.isInteger(Math.log2(byteLength)) && 2 ** Math.log2(byteLength) === byteLength
  if (!isPowerOfTwo || byteLength < least || byteLength > most) {
    refuse(
      `BAR ${index} (${kind}) is ${byteLength} bytes.`,
      `Software finds its size by address bits, so make it a power of two from ${least} to ${most}.`,
      { index, byteLength }
    )
  }
  if (kind === 'io' && prefetchable === true) {
    refuse(`BAR ${index} maps I/O ports, which are never prefetchable.`, 'Leave `prefetchable` out.', { index })
  }
}

function assertAreas ({ index, byteLength, kind, memory }: BarDescription): void {
  if (memory === undefined) return
  if (kind === 'io') refuse(`BAR ${index} maps I/O ports, which nobody can map.`, 'Leave `memory` out.', { index })
  let end = 0
  for (const area of memory.areas) {
    if (area.offset % PAGE !== 0 || area.byteLength % PAGE !== 0 || area.byteLength <= 0) {
      refuse(`A mappable area of BAR ${index} is not made of pages.`, 'Use multiples of 4096.', { index, ...area })
    }
    if (area.offset < end || area.offset + area.byteLength > byteLength) {
      refuse(
        `The mappable areas of BAR ${index} are out of order, overlap, or leave the BAR.`,
        'List them in ascending order, inside of it.',
        { index, ...area }
      )
    }
    end = area.offset + area.byteLength
  }
}

function assertMsi (vectors: number | undefined): void {
  if (vectors === undefined || [1, 2, 4, 8, 16, 32].includes(vectors)) return
  refuse(`MSI cannot have ${vectors} vectors.`, 'Use a power of two from 1 to 32.', { vectors })
}

function assertMsix (msix: MsixPlacement, bars: readonly BarDescription[]): void {
  const { vectors, tableOffset, tableByteLength, pbaOffset, pbaByteLength } = msix
  if (!Number.isInteger(vectors) || vectors < 1 || vectors > MSIX_VECTORS_MAX) {
    refuse(`MSI-X cannot have ${vectors} vectors.`, `Use a number from 1 to ${MSIX_VECTORS_MAX}.`, { vectors })
  }
  assertInside('table', bars, msix.tableBar, tableOffset, tableByteLength)
  assertInside('PBA', bars, msix.pbaBar, pbaOffset, pbaByteLength)
  const isApart = msix.tableBar !== msix.pbaBar || pbaOffset >= tableOffset + tableByteLength ||
    tableOffset >= pbaOffset + pbaByteLength
  if (!isApart) refuse('The MSI-X table and the PBA overlap.', 'Leave `pbaOffset` out to put it after the table.')
}

function assertInside (
  part: string,
  bars: readonly BarDescription[],
  index: number,
  offset: number,
  byteLength: number
): void {
  const details = { index, offset, byteLength }
  const bar = bars.find(candidate => candidate.index === index)
  if (bar === undefined || bar.kind === 'io') {
    refuse(`The MSI-X ${part} is in BAR ${index}, which is not a memory BAR.`, 'Declare it in `bars`.', details)
  }
  if (!Number.isInteger(offset) || offset < 0 || offset % 8 !== 0 || offset >= 2 ** 32) {
    refuse(`The MSI-X ${part} is at ${offset}.`, 'Its lowest three bits name the BAR: use a multiple of 8.', details)
  }
  if (offset + byteLength > bar.byteLength) {
    refuse(
      `The MSI-X ${part} takes ${byteLength} bytes at ${offset} of BAR ${index}, which has ${bar.byteLength}.`,
      'Make the BAR larger or the number of vectors smaller.',
      details
    )
  }
  const areas: readonly MappableArea[] = bar.memory === undefined ?
    [] :
    bar.memory.areas.length === 0 ?
    [{ offset: 0, byteLength: bar.byteLength }] :
    bar.memory.areas
  if (areas.some(area => area.offset < offset + byteLength && offset < area.offset + area.byteLength)) {
    refuse(
      `The MSI-X ${part} lies where clients may map BAR ${index}, so writes to it would not be seen.`,
      'Leave its pages out of `memory.areas`.',
      details
    )
  }
}
