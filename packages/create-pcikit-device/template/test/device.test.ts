import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Driver } from './driver.js'
import { FakeMachine, MEMORY } from './fake-machine.js'

/** The Command register, and its bits for memory space and bus mastering. [PCIe] "Command Register". */
const COMMAND = { region: 7, offset: 0x04, enable: Uint8Array.of(0x06, 0x00), disable: Uint8Array.of(0x02, 0x00) }

describe('YourDevice', () => {
  let machine: FakeMachine
  const { iova } = MEMORY

  beforeEach(async () => {
    machine = new FakeMachine({ lengthMax: 8192 })
    await machine.writeRegion(COMMAND.region, COMMAND.offset, COMMAND.enable)
  })

  afterEach(async () => {
    await machine.device.close()
    await machine.dma.close()
  })

  it('tells who it is, and what it was configured with', async () => {
    expect(await machine.driver.read('id')).toBe(0x4b49_4350)
    expect(await machine.driver.read('lengthMax')).toBe(8192)
  })

  it('combines a buffer with the key, and nothing beside it', async () => {
    machine.bytesAt(iova + 100, 5000).fill(0x0f)
    await machine.driver.start({ iova: iova + 100, length: 5000, key: 0xff })
    await machine.interrupted
    expect(new Set(machine.bytesAt(iova + 100, 5000))).toEqual(new Set([0xf0]))
    expect([machine.memory[99], machine.memory[5100]]).toEqual([0, 0])
  })

  it('holds the interrupt until its status is cleared', async () => {
    await machine.driver.start({ iova, length: 1, key: 1 })
    await machine.interrupted
    expect(await machine.driver.acknowledge()).toBe(Driver.DONE)
    expect(await machine.driver.read('status')).toBe(0)
  })

  it('fails on a buffer that is longer than it may be', async () => {
    await machine.driver.start({ iova, length: 8193, key: 1 })
    expect(await machine.driver.acknowledge()).toBe(Driver.FAILED)
  })

  it('fails where there is no memory, and lets go of what it had', async () => {
    await machine.driver.start({ iova: iova + MEMORY.byteLength - 1, length: 2, key: 1 })
    await machine.interrupted
    expect(await machine.driver.acknowledge()).toBe(Driver.FAILED)
    expect(machine.dma.openLeaseCount).toBe(0)
  })

  it('fails while bus mastering is off', async () => {
    await machine.writeRegion(COMMAND.region, COMMAND.offset, COMMAND.disable)
    await machine.driver.start({ iova, length: 1, key: 1 })
    await machine.interrupted
    expect(await machine.driver.acknowledge()).toBe(Driver.FAILED)
    expect(machine.memory[0]).toBe(0)
  })

  it('goes on where other code of it was, once that is done', async () => {
    await machine.driver.start({ iova, length: 4, key: 0xff })
    const state = structuredClone(await machine.device.save())
    const next = new FakeMachine({ lengthMax: 4096 })
    next.device.restore(state)
    expect(await next.driver.read('status')).toBe(Driver.DONE)
    expect(await next.driver.read('key')).toBe(0xff)
    expect(await next.driver.read('lengthMax')).toBe(4096)
    await next.device.close()
    await next.dma.close()
  })

  it('forgets in a reset what was under way', async () => {
    await machine.driver.start({ iova, length: 1, key: 1 })
    await machine.device.function.reset()
    expect(await machine.driver.read('status')).toBe(0)
    expect(await machine.driver.read('length')).toBe(0)
    expect(machine.dma.openLeaseCount).toBe(0)
  })
})
