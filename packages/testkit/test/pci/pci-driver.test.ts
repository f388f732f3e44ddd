import { describe, expect, it } from 'vitest'
import { PciDriver } from '../../src/pci/pci-driver.js'

/** Configuration space of plain memory, where some bits cannot be written. */
class PlainConfig {
  readonly bytes = new Uint8Array(4096)
  readonly view = new DataView(this.bytes.buffer)
  readonly masks = new Uint8Array(4096).fill(0xff)

  readRegion (_region: number, offset: number, count: number): Promise<Uint8Array> {
    return Promise.resolve(this.bytes.slice(offset, offset + count))
  }

  writeRegion (_region: number, offset: number, data: Uint8Array): Promise<void> {
    data.forEach((value, index) => {
      const mask = this.masks[offset + index]!
      this.bytes[offset + index] = (this.bytes[offset + index]! & ~mask) | (value & mask)
    })
    return Promise.resolve()
  }

  setIrqs (): Promise<void> {
    return Promise.resolve()
  }
}

describe('PciDriver', () => {
  it('sizes a 64-bit BAR and puts everything back', async () => {
    const config = new PlainConfig()
    config.view.setUint32(0x10, 0xfebf_c004, true)
    config.view.setUint32(0x14, 0x12, true)
    config.view.setUint16(4, 0x0406, true)
    config.masks.set([0x00, 0xc0, 0xff, 0xff], 0x10)
    expect(await new PciDriver(config).sizeBar(0)).toEqual({
      kind: 'memory64',
      prefetchable: false,
      byteLength: 0x4000
    })
    expect(config.view.getUint32(0x10, true)).toBe(0xfebf_c004)
    expect(config.view.getUint32(0x14, true)).toBe(0x12)
    expect(config.view.getUint16(4, true)).toBe(0x0406)
  })

  it('finds no BAR where nothing can be written', async () => {
    const config = new PlainConfig()
    config.masks.fill(0, 0x18, 0x1c)
    expect((await new PciDriver(config).sizeBar(2)).kind).toBe('none')
  })

  it('walks the capability list', async () => {
    const config = new PlainConfig()
    config.bytes.set([0x40], 0x34)
    config.bytes.set([0x01, 0x60], 0x40)
    config.bytes.set([0x11, 0x00], 0x60)
    expect(await new PciDriver(config).capabilities()).toEqual([{ id: 1, offset: 0x40 }, { id: 0x11, offset: 0x60 }])
  })

  it('does not follow a capability list for ever', async () => {
    const config = new PlainConfig()
    config.bytes.set([0x40], 0x34)
    config.bytes.set([0x01, 0x40], 0x40)
    await expect(new PciDriver(config).capabilities()).rejects.toThrow(/no end/)
  })

  it('walks the extended capability list', async () => {
    const config = new PlainConfig()
    config.view.setUint32(0x100, 0x1481_0001, true)
    config.view.setUint32(0x148, 0x0001_0003, true)
    expect(await new PciDriver(config).extendedCapabilities()).toEqual([
      { id: 1, offset: 0x100 },
      { id: 3, offset: 0x148 }
    ])
  })

  it('reads where the MSI-X table is', async () => {
    const config = new PlainConfig()
    config.bytes.set([0x60], 0x34)
    config.bytes.set([0x11, 0x00], 0x60)
    config.view.setUint16(0x62, 0x001f, true)
    config.view.setUint32(0x64, 0x3000, true)
    config.view.setUint32(0x68, 0x2004, true)
    expect(await new PciDriver(config).msixInfo()).toEqual({
      vectorCount: 32,
      table: { bar: 0, offset: 0x3000 },
      pendingBits: { bar: 4, offset: 0x2000 }
    })
  })
})
