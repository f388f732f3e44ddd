import { beforeEach, describe, expect, it } from 'vitest'
import { ConfigSpace } from '../src/config-space.js'
import { everything } from './services.js'

describe('ConfigSpace', () => {
  let config: ConfigSpace
  const view = new DataView(new ArrayBuffer(64))
  const read = (offset: number, count: 1 | 2 | 4) => {
    view.setUint32(0, 0)
    config.read(offset, view, 0, count)
    return view.getUint32(0, true)
  }
  const write = (offset: number, value: number, count: 1 | 2 | 4 = 4) => {
    view.setUint32(0, value, true)
    config.write(offset, view, 0, count)
  }
  const findVendorCapability = () => {
    let at = read(0x34, 1)
    while (read(at, 1) !== 0x09) at = read(at + 1, 1)
    return at
  }
  beforeEach(() => {
    config = new ConfigSpace(everything)
  })

  it('has the header that the description asks for', () => {
    expect(read(0x00, 4)).toBe(0x0010_1b36)
    expect(read(0x04, 4)).toBe(0x0010_0000)
    expect(read(0x08, 4)).toBe(0x0108_0202)
    expect(read(0x2c, 4)).toBe(0x1100_1af4)
    expect(read(0x34, 1)).toBe(0x40)
    expect(read(0x3d, 1)).toBe(1)
  })

  it('takes vendor and device for the subsystem where none is given', () => {
    config = new ConfigSpace({ identity: { vendorId: 0x1234, deviceId: 0x5678, classCode: 0xff0000 } })
    expect(read(0x2c, 4)).toBe(0x5678_1234)
    expect(read(0x34, 1)).toBe(0)
    expect(read(0x04, 4)).toBe(0)
  })

  it('says in the low bits of a BAR what it maps', () => {
    expect([0x10, 0x14, 0x18, 0x1c, 0x20, 0x24].map(offset => read(offset, 4))).toEqual([0xc, 0, 0, 1, 4, 0])
  })

  it('lets the bits above the size of a BAR be written', () => {
    for (const offset of [0x10, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x30]) write(offset, 0xffff_ffff)
    expect(read(0x10, 4)).toBe(0xffff_c00c)
    expect(read(0x14, 4)).toBe(0xffff_ffff)
    expect(read(0x18, 4)).toBe(0xffff_f000)
    expect(read(0x1c, 4)).toBe(0xffff_ffe1)
    expect(read(0x20, 4)).toBe(0x0000_0004)
    expect(read(0x24, 4)).toBe(0xffff_fff8)
    expect(read(0x30, 4)).toBe(0xffff_f801)
  })

  it('chains the capabilities in the order given, MSI and MSI-X last', () => {
    const chain: number[] = []
    for (let at = read(0x34, 1); at !== 0; at = read(at + 1, 1)) chain.push(read(at, 1))
    expect(chain).toEqual([0x01, 0x10, 0x09, 0x05, 0x11])
  })

  it('has extended capabilities from 100h on', () => {
    expect(read(0x100, 4)).toBe(0x0001_0003)
    expect(read(0x104, 4)).toBe(0x89ab_cdef)
    expect(read(0x108, 4)).toBe(0x0123_4567)
    expect(config.byteLength).toBe(4096)
  })

  it('points from one extended capability to the next', () => {
    const extendedCapabilities = ['A', 'B'].map(name => ({ name, id: 0x0b, byteLength: 10, registers: {} }))
    config = new ConfigSpace({ ...everything, extendedCapabilities })
    expect(read(0x100, 4)).toBe(0x10c1_000b)
    expect(read(0x10c, 4)).toBe(0x0001_000b)
  })

  it('has 256 bytes without PCI Express', () => {
    expect(new ConfigSpace({ ...everything, capabilities: [], extendedCapabilities: [] }).byteLength).toBe(256)
  })

  it('reads and writes any range', () => {
    new Uint8Array(view.buffer).fill(0xee)
    config.read(0x01, view, 3, 6)
    expect([...new Uint8Array(view.buffer, 2, 8)]).toEqual([0xee, 0x1b, 0x10, 0x00, 0x00, 0x00, 0x10, 0xee])
    const ones = new DataView(new Uint8Array(8).fill(0xff).buffer)
    config.write(0x0a, ones, 0, 8)
    expect([read(0x0c, 4), read(0x10, 4)]).toEqual([0xff, 0x0000_c00c])
    config.write(0x10, ones, 0, 8)
    expect([read(0x10, 4), read(0x14, 4)]).toEqual([0xffff_c00c, 0xffff_ffff])
  })

  it('writes a word once, however many of its bytes are written', () => {
    const seen: number[] = []
    config.registers.onWrite('INTERRUPT', value => seen.push(value))
    write(0x3c, 0x1122, 2)
    expect(seen).toEqual([0x0122])
  })

  it('reads a word once, however many of its bytes are read', () => {
    const seen: number[] = []
    config.registers.onRead('VENDOR.WORD_4', value => {
      seen.push(value)
      return 0x4433_2211
    })
    const at = findVendorCapability()
    expect([read(at + 4, 2), read(at + 6, 2), read(at + 5, 1)]).toEqual([0x2211, 0x4433, 0x22])
    expect(seen).toHaveLength(3)
    config.read(at + 3, view, 0, 6)
    expect([...new Uint8Array(view.buffer, 1, 4)]).toEqual([0x11, 0x22, 0x33, 0x44])
    expect(seen).toHaveLength(4)
  })

  it('clears error bits of the status register where 1 is written, and leaves them to writes beside', () => {
    config.registers.set('COMMAND_STATUS', 0xf910_0000)
    write(0x04, 0x0007, 2)
    expect(read(0x06, 2)).toBe(0xf910)
    write(0x06, 0x8000, 2)
    expect(read(0x06, 2)).toBe(0x7910)
  })

  it('ignores what is beyond its registers', () => {
    write(0xffc, 0xffff_ffff)
    write(0x2000, 0xffff_ffff)
    expect(read(0xffc, 4)).toBe(0)
    expect(read(0x2000, 4)).toBe(0)
  })

  it('knows which registers there are', () => {
    expect(config.has('EXPRESS.DEVICE_CONTROL')).toBe(true)
    expect(config.has('BAR7')).toBe(false)
  })
})
