import { describe, expect, it } from 'vitest'
import { allottedMsiVectors, msi } from '../../src/capabilities/msi.js'
import { msix, placeMsix } from '../../src/capabilities/msix.js'
import { deviceSerialNumber, pciExpress, powerManagement, vendorSpecific } from '../../src/index.js'

describe('the power management capability', () => {
  it('is version 3 and resets on the way from D3hot unless told otherwise', () => {
    expect(powerManagement().registers).toMatchObject({ PMC: { reset: 0x0003_0000 }, PMCSR: { reset: 0, writable: 3 } })
    expect(powerManagement({ noSoftReset: true }).registers['PMCSR']?.reset).toBe(8)
  })
})

describe('the MSI capability', () => {
  it('has 64-bit addresses, and masks by default', () => {
    expect(msi({ vectors: 8 }).registers['CONTROL']?.reset).toBe(0x0186_0000)
    expect(msi({ vectors: 32 }).registers['MASK']?.writable).toBe(0xffff_ffff)
    expect(msi({ vectors: 1, maskable: false })).toMatchObject({
      byteLength: 16,
      registers: { CONTROL: { reset: 0x80_0000 } }
    })
  })

  it('allots what the driver wrote, up to what it can', () => {
    expect(allottedMsiVectors(2 << 20 | 3 << 17)).toBe(4)
    expect(allottedMsiVectors(7 << 20 | 3 << 17)).toBe(8)
  })
})

describe('the MSI-X capability', () => {
  it('says where table and PBA are', () => {
    const { registers } = msix(placeMsix({ vectors: 65, tableBar: 4, tableOffset: 0x2000 }))
    expect(registers).toMatchObject({ CONTROL: { reset: 64 << 16 }, TABLE: { reset: 0x2004 }, PBA: { reset: 0x2414 } })
    expect(placeMsix({ vectors: 65, tableBar: 4, tableOffset: 0 }).pbaByteLength).toBe(16)
  })
})

describe('the PCI Express capability', () => {
  it('is a version 2 endpoint whose link is up', () => {
    const { registers } = pciExpress({ linkSpeed: 3, linkWidth: 2 })
    expect(registers['CAPABILITIES']?.reset).toBe(0x0002_0000)
    expect(registers['LINK_CAPABILITIES']?.reset).toBe(0x0040_0023)
    expect(registers['LINK_CONTROL']?.reset).toBe(0x1023_0000)
    expect(registers['LINK_CAPABILITIES_2']?.reset).toBe(0x0e)
  })

  it('offers FLR unless told otherwise', () => {
    expect(pciExpress().registers['DEVICE_CAPABILITIES']?.reset).toBe(0x1000_8001)
    expect(pciExpress({ flr: false }).registers['DEVICE_CAPABILITIES']?.reset).toBe(0x8001)
  })
})

describe('a vendor-specific capability', () => {
  it('holds its length and contents', () => {
    const { byteLength, registers } = vendorSpecific(Uint8Array.of(0xaa, 0xbb, 0xcc))
    expect(byteLength).toBe(6)
    expect([registers['WORD_0']?.reset, registers['WORD_4']?.reset]).toEqual([0xaa06_0000, 0x0000_ccbb])
  })

  it('can have bytes that the driver writes', () => {
    const { registers } = vendorSpecific(new Uint8Array(2), { name: 'MINE', writable: Uint8Array.of(0, 0x0f) })
    expect([registers['WORD_0']?.writable, registers['WORD_4']?.writable]).toEqual([0, 0x0f])
  })
})

describe('the serial number capability', () => {
  it('holds an EUI-64', () => {
    const { registers } = deviceSerialNumber(0xfedc_ba98_7654_3210n)
    expect([registers['LOWER']?.reset, registers['UPPER']?.reset]).toEqual([0x7654_3210, 0xfedc_ba98])
  })
})
