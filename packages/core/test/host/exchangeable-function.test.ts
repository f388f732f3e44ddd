import { RegionIndex } from '@pcikit/core'
import type { PciFunction } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { ExchangeableFunction } from '../../src/host/exchangeable-function.js'
import { fakeLines } from './fake-lines.js'

const BAR = RegionIndex.BAR0
const LONG = 60_000

/** A function whose registers all read as one byte, and that keeps what is written. */
class OneByte {
  readonly written: number[] = []
  access: () => void | Promise<void> = () => undefined
  resetCount = 0
  readonly function: PciFunction

  constructor (byte: number) {
    this.function = {
      interrupts: fakeLines().lines,
      region: index => ({ index, byteLength: byte, readable: true, writable: true }),
      readRegion: (_index, _offset, target, position, count) => {
        for (let nth = 0; nth < count; nth++) target.setUint8(position + nth, byte)
        return this.access()
      },
      writeRegion: (_index, _offset, source, position) => {
        this.written.push(source.getUint8(position))
        return this.access()
      },
      reset: () => {
        this.resetCount++
      }
    }
  }
}

function read (pci: PciFunction): { readonly done: void | Promise<void>, readonly bytes: Uint8Array } {
  const bytes = new Uint8Array(4)
  return { bytes, done: pci.readRegion(BAR, 0, new DataView(bytes.buffer), 1, 2) }
}

describe('a function that can be exchanged', () => {
  it('passes accesses on, and none waits that need not', () => {
    const pci = new ExchangeableFunction()
    const inner = new OneByte(0x42)
    pci.put(inner.function)
    const { done, bytes } = read(pci)
    expect(done).toBeUndefined()
    expect([...bytes]).toEqual([0, 0x42, 0x42, 0])
    expect(pci.writeRegion(BAR, 0, new DataView(Uint8Array.of(7).buffer), 0, 1)).toBeUndefined()
    expect(inner.written).toEqual([7])
    expect(pci.reset()).toBeUndefined()
    expect(inner.resetCount).toBe(1)
  })

  it('reads ones and ignores writes with no function in its place, whose regions it remembers', async () => {
    const pci = new ExchangeableFunction()
    pci.put(new OneByte(0x42).function)
    pci.take()
    expect([...read(pci).bytes]).toEqual([0, 0xff, 0xff, 0])
    await pci.writeRegion(BAR, 0, new DataView(new ArrayBuffer(4)), 0, 4)
    await pci.reset()
    expect(pci.region(BAR).byteLength).toBe(0x42)
    expect(pci.interrupts.info(2).count).toBe(4)
  })

  it('holds accesses back until there is another one, in their order', async () => {
    const pci = new ExchangeableFunction()
    const [before, after] = [new OneByte(1), new OneByte(2)]
    pci.put(before.function)
    await pci.hold(LONG)
    const held = read(pci)
    const buffer = new DataView(Uint8Array.of(0, 7).buffer)
    const written = pci.writeRegion(BAR, 0, buffer, 1, 1)
    buffer.setUint8(1, 9)
    const reset = pci.reset()
    pci.take()
    pci.put(after.function)
    expect(after.written).toEqual([])
    pci.letGo()
    await Promise.all([held.done, written, reset])
    expect([...held.bytes]).toEqual([0, 2, 2, 0])
    expect([before.written, after.written]).toEqual([[], [7]])
    expect([before.resetCount, after.resetCount]).toEqual([0, 1])
    expect(read(pci).done).toBeUndefined()
  })

  it('waits for accesses that are under way', async () => {
    const pci = new ExchangeableFunction()
    const inner = new OneByte(1)
    let finish = (): void => undefined
    inner.access = () => new Promise(resolve => (finish = resolve))
    pci.put(inner.function)
    const { done } = read(pci)
    let isHeld = false
    const held = pci.hold(LONG).then(() => (isHeld = true))
    await Promise.resolve()
    expect(isHeld).toBe(false)
    finish()
    await done
    await held
    expect(isHeld).toBe(true)
  })

  it('waits no longer than it may, and nobody hears of what comes too late', async () => {
    const pci = new ExchangeableFunction()
    const inner = new OneByte(1)
    let fail: (error: Error) => void = () => undefined
    inner.access = () => new Promise((_resolve, reject) => (fail = reject))
    pci.put(inner.function)
    const late = read(pci)
    await pci.hold(1)
    pci.take()
    pci.put(new OneByte(2).function)
    pci.letGo()
    fail(new Error('too late'))
    await expect(late.done).resolves.toBeUndefined()
  })
})
