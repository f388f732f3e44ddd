import { Errno, ProtocolError, RegionIndex } from '@pcikit/core'
import type { PciFunction } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { GuardedFunction } from '../../src/host/guarded-function.js'

const BAR = RegionIndex.BAR0

/** A function whose every access does what `act` does, and what was told of its end. */
function guard (act: () => void | Promise<void>) {
  const broken: string[] = []
  const acts = { read: act, write: act, reset: act }
  const inner: Partial<PciFunction> = {
    interrupts: {} as never,
    readRegion: (_index, _offset, target, position, count) => {
      for (let nth = 0; nth < count; nth++) target.setUint8(position + nth, 0x42)
      return acts.read()
    },
    writeRegion: () => acts.write(),
    reset: () => acts.reset()
  }
  const pci = new GuardedFunction(inner as PciFunction, (error, during) => {
    broken.push(`${during}: ${(error as Error).message}`)
  })
  const read = async (): Promise<number[]> => {
    const view = new DataView(new ArrayBuffer(4))
    await pci.readRegion(BAR, 0x10, view, 1, 2)
    return [...new Uint8Array(view.buffer)]
  }
  const write = async (): Promise<void> => pci.writeRegion(BAR, 0x10, new DataView(new ArrayBuffer(4)), 0, 4)
  return { pci, acts, broken, read, write }
}

const boom = (): never => {
  throw new Error('boom')
}

describe('a guarded function', () => {
  it('passes accesses on', async () => {
    const { read, write, pci, broken } = guard(() => undefined)
    expect(await read()).toEqual([0, 0x42, 0x42, 0])
    await write()
    await pci.reset()
    expect(broken).toEqual([])
  })

  it('does not make an access wait that does not', () => {
    const { pci } = guard(() => undefined)
    const view = new DataView(new ArrayBuffer(4))
    expect(pci.readRegion(BAR, 0, view, 0, 4)).toBeUndefined()
    expect(pci.writeRegion(BAR, 0, view, 0, 4)).toBeUndefined()
    expect(pci.reset()).toBeUndefined()
  })

  it.each([
    ['throws', boom],
    ['rejects', () => Promise.reject(new Error('boom'))]
  ])('answers a read that %s with ones, and is off the bus from then on', async (_, act) => {
    const { read, write, acts, broken } = guard(() => undefined)
    acts.read = act
    expect(await read()).toEqual([0, 0xff, 0xff, 0])
    acts.read = () => undefined
    acts.write = boom
    expect(await read()).toEqual([0, 0xff, 0xff, 0])
    await write()
    expect(broken).toEqual(['a read of 2 bytes at 0x10 of region 0: boom'])
  })

  it.each([
    ['throws', boom],
    ['rejects', () => Promise.reject(new Error('boom'))]
  ])('swallows a write that %s, and is off the bus from then on', async (_, act) => {
    const { read, write, acts, broken } = guard(() => undefined)
    acts.write = act
    await write()
    expect(await read()).toEqual([0, 0xff, 0xff, 0])
    expect(broken).toEqual(['a write of 4 bytes at 0x10 of region 0: boom'])
  })

  it.each([
    ['at once', () => undefined],
    ['in its time', () => Promise.resolve()]
  ])('is back after a reset that ends %s', async (_, act) => {
    const { read, write, acts, pci } = guard(act)
    acts.write = boom
    await write()
    await pci.reset()
    expect(await read()).toEqual([0, 0x42, 0x42, 0])
  })

  it.each([
    ['throws', boom],
    ['rejects', () => Promise.reject(new Error('boom'))]
  ])('stays off the bus after a reset that %s', async (_, act) => {
    const { read, acts, pci, broken } = guard(() => undefined)
    acts.reset = act
    await pci.reset()
    expect(await read()).toEqual([0, 0xff, 0xff, 0])
    expect(broken).toEqual(['a reset: boom'])
  })

  it('lets a refusal of the protocol through, which is no mistake', async () => {
    const { read, write, acts, broken } = guard(() => undefined)
    acts.write = () => {
      throw new ProtocolError(Errno.EINVAL, 'not like this')
    }
    await expect(write()).rejects.toMatchObject({ errno: Errno.EINVAL })
    expect(await read()).toEqual([0, 0x42, 0x42, 0])
    expect(broken).toEqual([])
  })
})
