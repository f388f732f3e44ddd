import { describe, expect, it } from 'vitest'
import { RegisterBank } from '../src/index.js'

const createBank = () =>
  new RegisterBank({
    CAP: { offset: 0x00, reset: 0xdead_beef },
    CC: { offset: 0x14, writable: 0x00ff_fff1, reset: 0x0046_0000 },
    CSTS: { offset: 0x1c, clearable: 1 << 4 },
    AQA: { offset: 0x24, writable: 0x0fff_0fff, sticky: 0x0fff_0fff }
  })

describe('RegisterBank', () => {
  it('starts with the reset values', () => {
    expect(createBank().read(0x00)).toBe(0xdead_beef)
    expect(createBank().get('CC')).toBe(0x0046_0000)
  })

  it('lets the driver change writable bits only', () => {
    const bank = createBank()
    bank.write(0x00, 0)
    bank.write(0x14, 0xffff_ffff)
    expect(bank.read(0x00)).toBe(0xdead_beef)
    expect(bank.read(0x14)).toBe(0x00ff_fff1)
  })

  it('clears an RW1C bit when 1 is written, and only then', () => {
    const bank = createBank()
    bank.set('CSTS', 0x11)
    bank.write(0x1c, 0x01)
    expect(bank.read(0x1c)).toBe(0x11)
    bank.write(0x1c, 0x11)
    expect(bank.read(0x1c)).toBe(0x01)
  })

  it('leaves the lanes alone that an access does not carry', () => {
    const bank = createBank()
    bank.write(0x24, 0xffff_ffff)
    bank.write(0x24, 0, 0x0000_00ff)
    expect(bank.read(0x24)).toBe(0x0fff_0f00)
    bank.set('CSTS', 0x10)
    bank.write(0x1c, 0x10, 0xffff_ff00)
    expect(bank.read(0x1c)).toBe(0x10)
  })

  it('gives the hook the new and the previous value', () => {
    const bank = createBank()
    const seen: number[] = []
    bank.onWrite('CC', (value, previous) => seen.push(value, previous))
    bank.write(0x14, 0x0046_0001)
    expect(seen).toEqual([0x0046_0001, 0x0046_0000])
  })

  it('calls the hook also when nothing changed, but not for the device', () => {
    const bank = createBank()
    let calls = 0
    bank.onWrite('CC', () => {
      calls++
    })
    bank.set('CC', 1)
    bank.reset()
    expect(calls).toBe(0)
    bank.write(0x14, 0x0046_0000)
    expect(calls).toBe(1)
  })

  it('refuses a second hook for the same register', () => {
    const bank = createBank()
    bank.onWrite('CC', () => undefined)
    expect(() => bank.onWrite('CC', () => undefined)).toThrow('CC has a hook already')
  })

  it('answers the driver what a hook for reads returns, and keeps it', () => {
    const bank = createBank()
    bank.set('CSTS', 7)
    bank.onRead('CSTS', value => value - 8)
    expect(bank.read(0x1c)).toBe(0xffff_ffff)
    expect(bank.get('CSTS')).toBe(0xffff_ffff)
  })

  it('calls the hook for reads once for each read of its word, but not for the device', () => {
    const bank = createBank()
    const seen: number[] = []
    bank.onRead('CC', value => {
      seen.push(value)
      return value + 1
    })
    bank.get('CC')
    bank.read(0x00)
    bank.read(0x14)
    bank.read(0x16)
    expect(seen).toEqual([0x0046_0000, 0x0046_0001])
  })

  it('refuses a second hook for reads of the same register', () => {
    const bank = createBank()
    bank.onRead('CC', value => value)
    expect(() => bank.onRead('CC', value => value)).toThrow('CC has a hook for reads already')
  })

  it('reads zero and ignores writes where there is no register', () => {
    const bank = createBank()
    bank.write(0x08, 0xffff_ffff)
    bank.write(0x1000, 0xffff_ffff)
    expect(bank.read(0x08)).toBe(0)
    expect(bank.read(0x1000)).toBe(0)
    expect(bank.byteLength).toBe(0x28)
  })

  it('restores every register in a reset', () => {
    const bank = createBank()
    bank.write(0x14, 1)
    bank.set('CSTS', 3)
    bank.write(0x24, 0x001f_001f)
    bank.reset()
    expect([bank.read(0x14), bank.read(0x1c), bank.read(0x24)]).toEqual([0x0046_0000, 0, 0])
  })

  it('keeps sticky bits where the reset says so', () => {
    const bank = createBank()
    bank.write(0x14, 1)
    bank.write(0x24, 0x001f_001f)
    bank.reset({ keepSticky: true })
    expect([bank.read(0x14), bank.read(0x24)]).toEqual([0x0046_0000, 0x001f_001f])
  })

  it('gives another bank what it held, by name and by bit', () => {
    const old = new RegisterBank({
      ID: { offset: 0x0, reset: 0x1111 },
      MODE: { offset: 0x4, reset: 0x20, writable: 0xf },
      GONE: { offset: 0x8, writable: 0xff }
    })
    old.write(0x4, 0x5)
    old.write(0x8, 0x7)
    const values = structuredClone(old.save())
    const next = new RegisterBank({
      MODE: { offset: 0x10, reset: 0x40, writable: 0xf },
      ID: { offset: 0x0, reset: 0x2222 },
      NEW: { offset: 0x4, reset: 0x9 }
    })
    const written: number[] = []
    next.onWrite('MODE', value => written.push(value))
    next.set('NEW', 0)
    next.restore(values)
    expect([next.get('MODE'), next.get('ID'), next.get('NEW')]).toEqual([0x45, 0x2222, 0x9])
    expect(written).toEqual([])
    expect(Object.keys(values)).toEqual(['MODE', 'GONE'])
  })

  it('gives a bank of the same declaration exactly what it held', () => {
    const bank = createBank()
    bank.write(0x14, 0x1)
    bank.set('CSTS', 0x8000_0003)
    const next = createBank()
    next.restore(bank.save())
    expect([next.get('CC'), next.get('CSTS')]).toEqual([bank.get('CC'), 0x8000_0003])
  })

  it('refuses registers that are not aligned or share a place', () => {
    expect(() => new RegisterBank({ A: { offset: 2 } })).toThrow(RangeError)
    expect(() => new RegisterBank({ A: { offset: 4 }, B: { offset: 4 } })).toThrow('B and A are both at offset 4')
  })
})
