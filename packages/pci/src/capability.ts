import { PcikitError } from '@pcikit/core'
import type { RegisterSpec } from '@pcikit/wire'

/**
 * A capability as a table of words. Offsets are relative to the capability; the word at 0 holds its ID and the pointer
 * to the next one, which are filled in when it is placed.
 */
export interface Capability {
  /** Its registers are known as `<name>.<register>` in the configuration space. Unique in a function. */
  readonly name: string
  readonly id: number
  /** Extended capabilities only. */
  readonly version?: number
  readonly byteLength: number
  readonly registers: Readonly<Record<string, RegisterSpec>>
}

/** Where a capability was placed. */
export interface PlacedCapability {
  readonly capability: Capability
  readonly offset: number
}

/** The first byte that capabilities may use: the header ends there. */
const FIRST_CAPABILITY = 0x40
/** Where the configuration space of conventional PCI ends. */
const END_OF_CAPABILITIES = 0x100
/** The first byte of the extended configuration space. */
const FIRST_EXTENDED_CAPABILITY = 0x100
const END_OF_EXTENDED_CAPABILITIES = 0x1000

/** Lays capabilities out one after the other, each on a word. Throws PCIKIT_PCI_LAYOUT_INVALID when they do not fit. */
export function placeCapabilities (capabilities: readonly Capability[]): PlacedCapability[] {
  return place(capabilities, FIRST_CAPABILITY, END_OF_CAPABILITIES)
}

/** Lays extended capabilities out from 100h on, as {@link placeCapabilities} does. */
export function placeExtendedCapabilities (capabilities: readonly Capability[]): PlacedCapability[] {
  return place(capabilities, FIRST_EXTENDED_CAPABILITY, END_OF_EXTENDED_CAPABILITIES)
}

function place (capabilities: readonly Capability[], first: number, end: number): PlacedCapability[] {
  const placed: PlacedCapability[] = []
  const names = new Set<string>()
  let offset = first
  for (const capability of capabilities) {
    if (names.has(capability.name)) {
      throw new PcikitError(
        'PCIKIT_PCI_LAYOUT_INVALID',
        `Two capabilities are named ${capability.name}. Names tell registers apart; give each its own.`
      )
    }
    names.add(capability.name)
    placed.push({ capability, offset })
    offset = (offset + capability.byteLength + 3) & ~3
  }
  if (offset > end) {
    throw new PcikitError(
      'PCIKIT_PCI_LAYOUT_INVALID',
      `The capabilities take ${offset - first} bytes, and there are ${end - first}. Leave one out.`
    )
  }
  return placed
}

/** The words of placed capabilities, named `<capability>.<register>`, with the list's pointers filled in. */
export function capabilityRegisters (placed: readonly PlacedCapability[]): Record<string, RegisterSpec> {
  return chain(placed, ({ id }, next) => id | next << 8)
}

/** The words of placed extended capabilities. [PCIe] "PCI Express Extended Capability Header". */
export function extendedCapabilityRegisters (placed: readonly PlacedCapability[]): Record<string, RegisterSpec> {
  return chain(placed, ({ id, version = 1 }, next) => (id | version << 16 | next << 20) >>> 0)
}

function chain (
  placed: readonly PlacedCapability[],
  header: (capability: Capability, next: number) => number
): Record<string, RegisterSpec> {
  const registers: Record<string, RegisterSpec> = {}
  for (const [position, { capability, offset }] of placed.entries()) {
    const first = header(capability, placed[position + 1]?.offset ?? 0)
    let hasHeader = false
    for (const [name, spec] of Object.entries(capability.registers)) {
      const isHeader = spec.offset === 0
      hasHeader ||= isHeader
      registers[`${capability.name}.${name}`] = {
        ...spec,
        offset: offset + spec.offset,
        reset: ((spec.reset ?? 0) | (isHeader ? first : 0)) >>> 0
      }
    }
    if (!hasHeader) registers[`${capability.name}.HEADER`] = { offset, reset: first }
  }
  return registers
}
