import { describe, expect, it } from 'vitest'
import { Register } from './edu-driver.js'
import { attachGuest } from './served-edu.js'

const MIB = 1024 * 1024
const PAGE = 4096

describe('the device on a socket', () => {
  it('is who QEMU says it is', async () => {
    await using guest = await attachGuest()
    expect(await guest.pci.vendorId()).toBe(0x1234)
    expect(await guest.pci.deviceId()).toBe(0x11e8)
    expect(await guest.pci.classCode()).toBe(0x00_ff_00)
    expect(await guest.pci.sizeBar(0)).toEqual({ kind: 'memory32', prefetchable: false, byteLength: MIB })
  })

  it('computes factorials', async () => {
    await using guest = await attachGuest()
    expect(await guest.driver.factorial(10)).toBe(3_628_800)
  })

  it('keeps INTx up until all causes are acknowledged', async () => {
    await using guest = await attachGuest()
    const irqs = await guest.pci.enableIntx()
    await guest.driver.write(Register.INTERRUPT_RAISE, 0x6)
    await irqs.next(0)
    expect(await guest.driver.read(Register.INTERRUPT_STATUS)).toBe(0x6)
    await guest.driver.write(Register.INTERRUPT_ACKNOWLEDGE, 0x2)
    await irqs.unmask()
    await irqs.next(0)
    await guest.driver.write(Register.INTERRUPT_ACKNOWLEDGE, 0x4)
    await irqs.unmask()
    expect(await guest.driver.read(Register.INTERRUPT_STATUS)).toBe(0)
    expect(irqs.count(0)).toBe(2)
  })

  it('sends a message for each cause', async () => {
    await using guest = await attachGuest()
    const irqs = await guest.pci.enableMsi()
    await guest.driver.write(Register.INTERRUPT_RAISE, 0)
    await guest.driver.write(Register.STATUS, 0x80)
    await guest.driver.write(Register.FACTORIAL, 3)
    await irqs.next(0)
    expect(await guest.driver.read(Register.INTERRUPT_STATUS)).toBe(0x1)
    await guest.driver.load(MIB, 16, { interrupt: true })
    await irqs.next(0)
    expect(await guest.driver.read(Register.INTERRUPT_STATUS)).toBe(0x101)
    expect(irqs.count(0)).toBe(2)
  })

  it.each([true, false])('moves bytes to the buffer and back, with memory that is shared: %s', async shared => {
    await using guest = await attachGuest({ regions: [{ iova: MIB, byteLength: MIB, shared }] })
    const words = new TextEncoder().encode('There and back again')
    guest.memory.store(MIB + 100, words)
    await guest.driver.load(MIB + 100, words.length)
    await guest.driver.finish()
    await guest.driver.store(MIB + 7000, words.length)
    await guest.driver.finish()
    expect(guest.memory.bytesAt(MIB + 7000, words.length)).toEqual(words)
    expect(guest.memory.areGuardsIntact).toBe(true)
  })

  it('reaches across regions that touch', async () => {
    const regions = [{ iova: MIB, byteLength: PAGE }, { iova: MIB + PAGE, byteLength: PAGE, shared: false }]
    await using guest = await attachGuest({ regions })
    const bytes = Uint8Array.from({ length: 200 }, (_, index) => index)
    guest.memory.store(MIB + PAGE - 100, bytes)
    await guest.driver.load(MIB + PAGE - 100, 200)
    await guest.driver.finish()
    await guest.driver.store(MIB + PAGE - 150, 200)
    await guest.driver.finish()
    expect(guest.memory.bytesAt(MIB + PAGE - 150, 200)).toEqual(bytes)
  })

  it('finds memory where it is now', async () => {
    await using guest = await attachGuest()
    const region = guest.memory.add({ iova: 4 * MIB, byteLength: PAGE })
    const spare = guest.memory.add({ iova: 5 * MIB, byteLength: PAGE })
    await guest.memory.map(guest.client, [region])
    await guest.driver.load(4 * MIB, 8)
    await guest.driver.finish()
    const left = await guest.memory.move(guest.client, region, spare.fileOffset, spare.file)
    guest.memory.store(4 * MIB, Uint8Array.of(1, 2, 3))
    await guest.driver.load(4 * MIB, 3)
    await guest.driver.finish()
    await guest.driver.store(4 * MIB + 8, 3)
    await guest.driver.finish()
    expect([...guest.memory.bytesAt(4 * MIB + 8, 3)]).toEqual([1, 2, 3])
    expect(left.isUntouched).toBe(true)
  })

  it('is ready for the next transfer after a reset in the midst of one', async () => {
    await using guest = await attachGuest({ regions: [{ iova: MIB, byteLength: MIB, shared: false }] })
    const asked = new Promise<void>(resolve => {
      guest.client.dma.behaviour = () => {
        resolve()
        return { kind: 'error', errno: 14 }
      }
    })
    await guest.driver.load(MIB, 8)
    await Promise.all([asked, guest.client.reset()])
    guest.client.dma.behaviour = () => ({ kind: 'answer' })
    await guest.pci.enable()
    guest.memory.store(MIB, Uint8Array.of(5, 6))
    await guest.driver.load(MIB, 2)
    await guest.driver.finish()
    await guest.driver.store(MIB + 64, 4)
    await guest.driver.finish()
    expect([...guest.memory.bytesAt(MIB + 64, 4)]).toEqual([5, 6, 0, 0])
  })
})
