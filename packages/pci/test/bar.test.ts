import { RegisterBank } from '@pcikit/wire'
import { beforeEach, describe, expect, it } from 'vitest'
import { Bar, words } from '../src/bar.js'
import { ScratchBar } from './services.js'

const view = new DataView(new ArrayBuffer(64))

describe('Bar', () => {
  let scratch: ScratchBar
  let bar: Bar
  beforeEach(() => {
    new Uint8Array(view.buffer).fill(0)
    scratch = new ScratchBar(64)
    bar = new Bar(64, scratch, [])
  })

  it('hands an aligned word through as it is', () => {
    view.setUint32(8, 0x8000_0001, true)
    void bar.write(4, view, 8, 4)
    bar.read(4, view, 16, 4)
    expect(scratch.accesses).toEqual(['write 4@4=80000001', 'read 4@4'])
    expect(view.getUint32(16, true)).toBe(0x8000_0001)
  })

  it('cuts 64-bit accesses into words, the lower first', () => {
    view.setBigUint64(0, 0x1111_2222_3333_4444n, true)
    void bar.write(8, view, 0, 8)
    expect(scratch.accesses).toEqual(['write 4@8=33334444', 'write 4@12=11112222'])
  })

  it('cuts unaligned accesses into the largest aligned parts', () => {
    bar.read(1, view, 0, 10)
    expect(scratch.accesses).toEqual(['read 1@1', 'read 2@2', 'read 4@4', 'read 2@8', 'read 1@10'])
  })

  it('reads long ranges', () => {
    new Uint8Array(scratch.memory.buffer).forEach((_, index, memory) => {
      memory[index] = index
    })
    bar.read(0, view, 0, 64)
    expect(new Uint8Array(view.buffer)).toEqual(new Uint8Array(scratch.memory.buffer))
  })

  it('reads ones and ignores writes beyond its end', () => {
    void bar.write(62, view, 0, 4)
    bar.read(62, view, 0, 4)
    expect(scratch.accesses).toEqual(['write 2@62=0', 'read 2@62'])
    expect(view.getUint32(0, true)).toBe(0xffff_0000)
  })

  it('reads zeroes where no handler is', () => {
    view.setUint32(0, 1)
    new Bar(64, undefined, []).read(0, view, 0, 4)
    expect(view.getUint32(0)).toBe(0)
  })

  it('gives overlays their part, at offsets of their own', () => {
    const overlay = new ScratchBar(16)
    bar = new Bar(64, scratch, [{ offset: 16, byteLength: 16, handler: overlay }])
    bar.read(12, view, 0, 24)
    expect(overlay.accesses).toEqual(['read 4@0', 'read 4@4', 'read 4@8', 'read 4@12'])
    expect(scratch.accesses).toEqual(['read 4@12', 'read 4@32'])
  })

  it('reaches the device between two overlays', () => {
    const overlays = [0, 32].map(offset => ({ offset, byteLength: 16, handler: new ScratchBar(16) }))
    bar = new Bar(64, scratch, overlays)
    bar.read(16, view, 0, 4)
    expect(scratch.accesses).toEqual(['read 4@16'])
  })

  it('waits for a part before it writes the next, from a copy of the rest', async () => {
    let finish: () => void = () => undefined
    const seen: number[] = []
    const slow = {
      read: () => 0,
      write: (_offset: number, _size: number, value: number) => {
        seen.push(value)
        return seen.length === 1 ?
          new Promise<void>(resolve => {
            finish = resolve
          }) :
          undefined
      }
    }
    view.setUint32(0, 1, true)
    view.setUint32(4, 2, true)
    const done = new Bar(64, slow, []).write(0, view, 0, 8)
    view.setUint32(4, 3, true)
    expect(seen).toEqual([1])
    finish()
    await done
    expect(seen).toEqual([1, 2])
  })

  it('reaches offsets above 4 GiB', () => {
    const offsets: number[] = []
    const far = words({ read: offset => offsets.push(offset), write: () => undefined })
    new Bar(2 ** 35, far, []).read(2 ** 34 + 1, view, 0, 1)
    expect(offsets).toEqual([2 ** 34])
  })
})

describe('words', () => {
  it('lets narrow accesses take their part of a register', () => {
    const bank = new RegisterBank({ R: { offset: 4, writable: 0xffff_ffff } })
    const bar = new Bar(64, words(bank), [])
    bank.set('R', 0x4433_2211)
    view.setUint8(0, 0xaa)
    void bar.write(6, view, 0, 1)
    bar.read(5, view, 8, 2)
    expect(bank.get('R')).toBe(0x44aa_2211)
    expect(view.getUint16(8, true)).toBe(0xaa22)
  })

  it('does not clear what lies beside the bytes written', () => {
    const bank = new RegisterBank({ R: { offset: 0, clearable: 0xffff_ffff } })
    bank.set('R', 0xffff_ffff)
    view.setUint8(0, 0xff)
    void new Bar(64, words(bank), []).write(3, view, 0, 1)
    expect(bank.get('R')).toBe(0x00ff_ffff)
  })
})
