import { RegionIndex } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { eduOptionsSchema } from '../src/index.js'
import { DirectEdu, nextTurn } from './direct-edu.js'
import { Register } from './edu-driver.js'

describe('the registers', () => {
  it('say who the device is', async () => {
    const { driver, edu } = new DirectEdu()
    expect(await driver.read(Register.IDENTIFICATION)).toBe(0x0100_00ed)
    expect(edu.function.region(RegionIndex.BAR0).byteLength).toBe(1024 * 1024)
  })

  it('invert what is written to the liveness check', async () => {
    const { driver } = new DirectEdu()
    await driver.write(Register.LIVENESS, 0x1234_5678)
    expect(await driver.read(Register.LIVENESS)).toBe(0xedcb_a987)
  })

  it.each([1, 2])('cannot be read or written in %i bytes', async count => {
    const { driver, access } = new DirectEdu()
    await access.writeRegion(0, Register.LIVENESS, new Uint8Array(count).fill(0x55))
    expect(await driver.read(Register.LIVENESS)).toBe(0)
    expect([...await access.readRegion(0, Register.IDENTIFICATION, count)]).toEqual(Array(count).fill(0xff))
  })

  it('take 8 bytes where they have 64 bits', async () => {
    const { driver } = new DirectEdu()
    await driver.write64(Register.DMA_SOURCE, 0x0123_4567_89ab_cdefn)
    expect(await driver.read64(Register.DMA_SOURCE)).toBe(0x0123_4567_89ab_cdefn)
    expect(await driver.read(Register.DMA_SOURCE)).toBe(0x89ab_cdef)
  })

  it('have their first values after a reset', async () => {
    const { driver, edu } = new DirectEdu()
    await driver.write(Register.LIVENESS, 1)
    await driver.write(Register.INTERRUPT_RAISE, 1)
    await driver.write64(Register.DMA_COUNT, 9n)
    await edu.function.reset()
    expect(await driver.read(Register.LIVENESS)).toBe(0)
    expect(await driver.read(Register.INTERRUPT_STATUS)).toBe(0)
    expect(await driver.read64(Register.DMA_COUNT)).toBe(0n)
    expect(await driver.read(Register.IDENTIFICATION)).toBe(0x0100_00ed)
  })
})

describe('a factorial', () => {
  it.each([
    { value: 0, product: 1 },
    { value: 1, product: 1 },
    { value: 5, product: 120 },
    { value: 12, product: 479_001_600 },
    { value: 13, product: 1_932_053_504 },
    { value: 33, product: 0x8000_0000 },
    { value: 34, product: 0 },
    { value: 0xffff_ffff, product: 0 }
  ])('of $value is $product in 32 bits', async ({ value, product }) => {
    const { driver } = new DirectEdu()
    await driver.write(Register.FACTORIAL, value)
    await nextTurn()
    expect(await driver.read(Register.FACTORIAL)).toBe(product)
  })

  it('is computed after the access, and is not to be written meanwhile', async () => {
    const { driver } = new DirectEdu()
    await driver.write(Register.FACTORIAL, 6)
    await driver.write(Register.FACTORIAL, 3)
    expect(await driver.read(Register.STATUS)).toBe(0x01)
    expect(await driver.read(Register.FACTORIAL)).toBe(6)
    await nextTurn()
    expect(await driver.read(Register.STATUS)).toBe(0)
    expect(await driver.read(Register.FACTORIAL)).toBe(720)
  })

  it('raises an interrupt where the driver wants one, and only then', async () => {
    const { driver } = new DirectEdu()
    await driver.write(Register.FACTORIAL, 3)
    await nextTurn()
    expect(await driver.read(Register.INTERRUPT_STATUS)).toBe(0)
    await driver.write(Register.STATUS, 0xff)
    await driver.write(Register.FACTORIAL, 4)
    await nextTurn()
    expect(await driver.read(Register.STATUS)).toBe(0x80)
    expect(await driver.read(Register.INTERRUPT_STATUS)).toBe(0x1)
  })

  it('is forgotten in a reset', async () => {
    const { driver, edu } = new DirectEdu()
    await driver.write(Register.STATUS, 0x80)
    await driver.write(Register.FACTORIAL, 4)
    await edu.function.reset()
    await nextTurn()
    expect(await driver.read(Register.FACTORIAL)).toBe(0)
    expect(await driver.read(Register.INTERRUPT_STATUS)).toBe(0)
  })
})

describe('the options', () => {
  it.each([{ dmaMask: -1 }, { dmaMask: 2 ** 53 }, { dmaMask: 1.5 }, { mask: 1 }])('refuse %o', options => {
    expect(eduOptionsSchema.safeParse(options).success).toBe(false)
  })

  it('have a mask of 28 bits', () => {
    expect(eduOptionsSchema.parse({})).toEqual({ dmaMask: 2 ** 28 - 1 })
  })
})
