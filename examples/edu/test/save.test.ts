import { describe, expect, it } from 'vitest'
import { DirectEdu, nextTurn } from './direct-edu.js'
import { Register } from './edu-driver.js'

/** A device that goes on where another one was, with the same memory. */
async function takeOver (old: DirectEdu): Promise<DirectEdu> {
  const next = new DirectEdu()
  await next.enable()
  next.memory.set(old.memory)
  next.edu.restore(structuredClone(await old.edu.save()))
  return next
}

describe('other code of the device', () => {
  it('goes on with the registers and the buffer', async () => {
    const old = new DirectEdu()
    await old.enable()
    old.memory.set([1, 2, 3, 4], 0x2000)
    await old.driver.write(Register.LIVENESS, 0x1234)
    await old.driver.write(Register.INTERRUPT_RAISE, 0x6)
    await old.driver.load(0x2000, 4)
    const next = await takeOver(old)
    expect(await next.driver.isRunning()).toBe(false)
    expect(await next.driver.read(Register.LIVENESS)).toBe(0xffff_edcb)
    expect(await next.driver.read(Register.INTERRUPT_STATUS)).toBe(0x6)
    await next.driver.store(0x8000, 4)
    while (await next.driver.isRunning()) await nextTurn()
    expect([...next.memory.subarray(0x8000, 0x8004)]).toEqual([1, 2, 3, 4])
  })

  it('finds the factorial that was asked for', async () => {
    const old = new DirectEdu()
    await old.driver.write(Register.FACTORIAL, 10)
    const next = await takeOver(old)
    expect(await next.driver.read(Register.STATUS)).toBe(0)
    expect(await next.driver.read(Register.FACTORIAL)).toBe(3_628_800)
  })
})
