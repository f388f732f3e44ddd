import { isPcikitError } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { deviceSerialNumber, powerManagement } from '../src/index.js'
import type { BarDescription, InterruptDescription, PciDescription } from '../src/index.js'
import { createFunction, everything } from './services.js'

const bar = (parts: Partial<BarDescription>): BarDescription => ({
  index: 0,
  kind: 'memory32',
  byteLength: 0x1000,
  ...parts
})

/** The message with which a description is refused. */
function refusal (parts: Partial<PciDescription>): string {
  try {
    createFunction({ bars: [], interrupts: {}, ...parts })
  } catch (error) {
    if (isPcikitError(error, 'PCIKIT_PCI_LAYOUT_INVALID')) return error.message
    throw error
  }
  return 'accepted'
}

const withBars = (...bars: BarDescription[]) => refusal({ bars })
const withMsix = (msix: InterruptDescription['msix'], parts: Partial<BarDescription> = {}) =>
  refusal({ bars: [bar(parts)], ...(msix === undefined ? {} : { interrupts: { msix } }) })

describe('the layout of a function', () => {
  it('is accepted where it makes sense', () => {
    expect(refusal(everything)).toBe('accepted')
    expect(withMsix({ vectors: 1, tableBar: 0, tableOffset: 0 })).toBe('accepted')
  })

  it('is refused for values wider than their register', () => {
    expect(refusal({ identity: { ...everything.identity, classCode: 0x1_00_00_00 } })).toContain('24 bits')
    expect(refusal({ identity: { ...everything.identity, deviceId: -1 } })).toContain('identity.deviceId is -1')
    expect(refusal({ identity: { ...everything.identity, vendorId: 0xffff } })).toContain('empty slot')
  })

  it('is refused for a BAR that is no power of two, or too small or large for its kind', () => {
    expect(withBars(bar({ byteLength: 0x1800 }))).toContain('power of two from 128')
    expect(withBars(bar({ byteLength: 64 }))).toContain('is 64 bytes')
    expect(withBars(bar({ byteLength: 2 ** 32 }))).toContain('power of two')
    expect(withBars(bar({ kind: 'io', byteLength: 512 }))).toContain('from 4 to 256')
    expect(withBars(bar({ kind: 'memory64', byteLength: 2 ** 32 }))).toBe('accepted')
  })

  it('is refused for BARs that share a register', () => {
    expect(withBars(bar({ index: 1 }), bar({ index: 1 }))).toContain('declared already')
    expect(withBars(bar({ kind: 'memory64' }), bar({ index: 1 }))).toContain('upper half of the 64-bit BAR 0')
    expect(withBars(bar({ index: 5, kind: 'memory64' }))).toContain('Use BAR 4')
    expect(withBars(bar({ index: 6 }))).toContain('from 0 to 5')
  })

  it('is refused for prefetchable ports', () => {
    expect(withBars(bar({ kind: 'io', byteLength: 32, prefetchable: true }))).toContain('never prefetchable')
  })

  it('is refused for mappable areas that are not pages of the BAR in order', () => {
    const areas = (...list: [number, number][]) =>
      withBars(bar({
        byteLength: 0x4000,
        memory: {
          descriptor: 3,
          fileOffset: 0,
          areas: list.map(([offset, byteLength]) => ({ offset, byteLength }))
        }
      }))
    expect(areas([0x1000, 0x1000], [0x2000, 0x1000])).toBe('accepted')
    expect(areas([0x800, 0x1000])).toContain('not made of pages')
    expect(areas([0x2000, 0x1000], [0x1000, 0x1000])).toContain('out of order')
    expect(areas([0x3000, 0x2000])).toContain('leave the BAR')
  })

  it('is refused for numbers of vectors that cannot be', () => {
    expect(refusal({ interrupts: { msi: { vectors: 3 } } })).toContain('power of two from 1 to 32')
    expect(withMsix({ vectors: 0, tableBar: 0, tableOffset: 0 })).toContain('from 1 to 2048')
    expect(withMsix({ vectors: 2049, tableBar: 0, tableOffset: 0 }, { byteLength: 0x10_0000 })).toContain('2048')
  })

  it('is refused for an MSI-X table or PBA outside of a memory BAR', () => {
    expect(withMsix({ vectors: 256, tableBar: 0, tableOffset: 8 })).toContain('4096 bytes at 8 of BAR 0')
    expect(withMsix({ vectors: 256, tableBar: 0, tableOffset: 0 })).toContain('The MSI-X PBA takes 32 bytes at 4096')
    expect(withMsix({ vectors: 1, tableBar: 0, tableOffset: 4 })).toContain('multiple of 8')
    expect(withMsix({ vectors: 1, tableBar: 3, tableOffset: 0 })).toContain('BAR 3, which is not a memory BAR')
    expect(withMsix({ vectors: 1, tableBar: 0, tableOffset: 0 }, { kind: 'io', byteLength: 64 })).toContain(
      'not a memory'
    )
  })

  it('is refused for a table over the PBA', () => {
    expect(withMsix({ vectors: 4, tableBar: 0, tableOffset: 0, pbaOffset: 32 })).toContain('overlap')
  })

  it('is refused for a table where clients may map the BAR', () => {
    const memory = (areas: { offset: number, byteLength: number }[]) => ({
      byteLength: 0x4000,
      memory: { descriptor: 3, fileOffset: 0, areas }
    })
    const msix = { vectors: 4, tableBar: 0, tableOffset: 0x2000 }
    expect(withMsix(msix, memory([]))).toContain('memory.areas')
    expect(withMsix(msix, memory([{ offset: 0x2000, byteLength: 0x1000 }]))).toContain('memory.areas')
    expect(withMsix(msix, memory([{ offset: 0x1000, byteLength: 0x1000 }]))).toBe('accepted')
  })

  it('is refused for extended capabilities without PCI Express', () => {
    expect(refusal({ capabilities: [], extendedCapabilities: [deviceSerialNumber(1n)] })).toContain('pciExpress()')
  })

  it('is refused for capabilities of the same name, or too many of them', () => {
    const capabilities = [powerManagement(), powerManagement()]
    expect(refusal({ capabilities, extendedCapabilities: [] })).toContain('Two capabilities are named PM')
    const large = ['A', 'B'].map(name => ({ name, id: 9, byteLength: 128, registers: {} }))
    expect(refusal({ capabilities: large, extendedCapabilities: [] })).toContain('256 bytes, and there are 192')
  })
})
