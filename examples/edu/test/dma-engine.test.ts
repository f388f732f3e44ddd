import { describe, expect, it } from 'vitest'
import { DirectEdu, nextTurn } from './direct-edu.js'
import { BUFFER, BUFFER_BYTES, Register } from './edu-driver.js'

const PAGE = 0x1000
const LOADED = [1, 2, 3, 4, 5, 6, 7, 8]

/** A device whose memory has something at 0x2000. */
async function createEdu (options: Record<string, unknown> = {}): Promise<DirectEdu> {
  const direct = new DirectEdu(options)
  await direct.enable()
  direct.memory.set(LOADED, 0x2000)
  return direct
}

/** Turns enough for a transfer with all its messages. */
async function finish ({ driver }: DirectEdu): Promise<void> {
  while (await driver.isRunning()) await nextTurn()
}

/** What the first bytes of the buffer are, through a transfer to memory. */
async function bufferOf (direct: DirectEdu, byteLength = 8, bufferOffset = 0): Promise<number[]> {
  await direct.driver.store(0x8000, byteLength, { bufferOffset })
  await finish(direct)
  return [...direct.memory.subarray(0x8000, 0x8000 + byteLength)]
}

/** A promise, and what resolves it. */
function createGate (): { readonly opened: Promise<void>, readonly open: () => void } {
  const gate: { open: () => void } = { open: () => undefined }
  const opened = new Promise<void>(resolve => {
    gate.open = resolve
  })
  return { opened, open: () => gate.open() }
}

describe('a transfer', () => {
  it('takes guest memory into the buffer and back', async () => {
    const direct = await createEdu()
    await direct.driver.load(0x2000, 8)
    await finish(direct)
    expect(await bufferOf(direct)).toEqual(LOADED)
    expect(direct.dma.openLeaseCount).toBe(0)
  })

  it('reaches any part of the buffer', async () => {
    const direct = await createEdu()
    await direct.driver.load(0x2000, 4, { bufferOffset: BUFFER_BYTES - 4 })
    await finish(direct)
    expect(await bufferOf(direct, 6, BUFFER_BYTES - 6)).toEqual([0, 0, 1, 2, 3, 4])
  })

  it('happens after the access, which locks its registers', async () => {
    const direct = await createEdu()
    await direct.driver.load(0x2000, 8)
    await direct.driver.write64(Register.DMA_SOURCE, 0x9999n)
    await direct.driver.write(Register.DMA_COMMAND, 0)
    expect(await direct.driver.isRunning()).toBe(true)
    expect(await direct.driver.read64(Register.DMA_SOURCE)).toBe(0x2000n)
    await finish(direct)
    expect(await bufferOf(direct)).toEqual(LOADED)
  })

  it('raises an interrupt where the driver wants one, and only then', async () => {
    const direct = await createEdu()
    await direct.driver.load(0x2000, 8)
    await finish(direct)
    expect(await direct.driver.read(Register.INTERRUPT_STATUS)).toBe(0)
    await direct.driver.load(0x2000, 8, { interrupt: true })
    await finish(direct)
    expect(await direct.driver.read(Register.INTERRUPT_STATUS)).toBe(0x100)
  })

  it('loses the address bits beyond 28, unless told otherwise', async () => {
    const narrow = await createEdu()
    await narrow.driver.load(0x9_1000_2000, 8)
    await finish(narrow)
    expect(await bufferOf(narrow)).toEqual(LOADED)

    const wide = await createEdu({ dmaMask: 0xf_ffff_ffff })
    await wide.driver.load(0x9_1000_2000, 8)
    await finish(wide)
    expect(await bufferOf(wide)).toEqual(Array(8).fill(0xff))
  })

  it.each([
    { what: 'starts before the buffer', buffer: BUFFER - 1, byteLength: 8 },
    { what: 'starts after it', buffer: BUFFER + BUFFER_BYTES, byteLength: 0 },
    { what: 'ends after it', buffer: BUFFER + 1, byteLength: BUFFER_BYTES },
    { what: 'is as long as a number can be', buffer: BUFFER, byteLength: Number.MAX_SAFE_INTEGER }
  ])('that $what moves nothing, and ends', async ({ buffer, byteLength }) => {
    const direct = await createEdu()
    await direct.driver.load(0x2000, byteLength, { bufferOffset: buffer - BUFFER, interrupt: true })
    await finish(direct)
    expect(await direct.driver.read(Register.INTERRUPT_STATUS)).toBe(0x100)
    expect(await bufferOf(direct)).toEqual(Array(8).fill(0))
  })

  it('of nothing ends at once', async () => {
    const direct = await createEdu()
    await direct.driver.load(0x2000, 0)
    await nextTurn()
    expect(await direct.driver.isRunning()).toBe(false)
  })
})

describe('a transfer from memory that is not there', () => {
  it('reads ones', async () => {
    const direct = await createEdu()
    await direct.driver.load(0x10_0000, 4)
    await finish(direct)
    expect(await bufferOf(direct)).toEqual([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])
    expect(direct.dma.openLeaseCount).toBe(0)
  })

  it('reads ones where only a part of it is', async () => {
    const direct = await createEdu()
    await direct.driver.load(direct.memory.length - 4, 8)
    await finish(direct)
    expect(await bufferOf(direct)).toEqual(Array(8).fill(0xff))
  })

  it('reads ones where it went away after the access', async () => {
    const direct = await createEdu()
    await direct.driver.load(0x2000, 8)
    await direct.dma.unmapAll()
    await finish(direct)
    await direct.enable()
    expect(await bufferOf(direct)).toEqual(Array(8).fill(0xff))
  })

  it('is over when the client refuses', async () => {
    const direct = await createEdu()
    direct.onRequest = () => Promise.reject(new Error('no'))
    await direct.driver.load(0x2000, 8)
    await finish(direct)
    direct.onRequest = () => Promise.resolve()
    expect(await bufferOf(direct)).toEqual(Array(8).fill(0xff))
  })

  it('writes nothing', async () => {
    const direct = await createEdu()
    await direct.driver.store(direct.memory.length - PAGE, 2 * PAGE)
    await finish(direct)
    expect(direct.memory.subarray(-PAGE).every(byte => byte === 0)).toBe(true)
    expect(direct.dma.openLeaseCount).toBe(0)
  })
})

describe('with bus mastering off', () => {
  it('a transfer reaches nothing, and ends', async () => {
    const direct = await createEdu()
    await direct.setBusMaster(false)
    await direct.driver.load(0x2000, 8, { interrupt: true })
    await finish(direct)
    expect(await direct.driver.read(Register.INTERRUPT_STATUS)).toBe(0x100)
    await direct.setBusMaster(true)
    expect(await bufferOf(direct)).toEqual(Array(8).fill(0xff))
  })
})

describe('a transfer under way', () => {
  it('holds its memory, so that an unmap waits for it', async () => {
    const direct = await createEdu()
    const gate = createGate()
    direct.onRequest = () => gate.opened
    await direct.driver.load(0x2000, 8)
    await nextTurn()
    expect(direct.dma.openLeaseCount).toBe(1)
    const unmapped = direct.dma.unmapAll()
    gate.open()
    expect(await unmapped).toBe(1)
    expect(direct.dma.openLeaseCount).toBe(0)
    expect(await direct.driver.isRunning()).toBe(false)
  })

  it('that the client never answers holds up an unmap no longer than the deadline', async () => {
    const direct = await createEdu()
    direct.onRequest = () => createGate().opened
    await direct.driver.load(0x2000, 8)
    await nextTurn()
    expect(await direct.dma.unmapAll()).toBe(1)
  })

  it('changes nothing after a reset, which leaves the device ready', async () => {
    const direct = await createEdu()
    const gate = createGate()
    direct.onRequest = () => gate.opened
    await direct.driver.load(0x2000, 8, { interrupt: true })
    await nextTurn()
    await direct.edu.function.reset()
    expect(await direct.driver.isRunning()).toBe(false)

    await direct.setBusMaster(true)
    direct.onRequest = () => Promise.resolve()
    direct.memory.set([9, 9], 0x3000)
    await direct.driver.load(0x3000, 2)
    await finish(direct)
    gate.open()
    await nextTurn()
    expect(await direct.driver.read(Register.INTERRUPT_STATUS)).toBe(0)
    expect(await bufferOf(direct, 4)).toEqual([9, 9, 0, 0])
    expect(direct.dma.openLeaseCount).toBe(0)
  })

  it('that has not begun never does after a reset', async () => {
    const direct = await createEdu()
    await direct.driver.load(0x2000, 8)
    await direct.edu.function.reset()
    await direct.setBusMaster(true)
    await nextTurn()
    expect(await bufferOf(direct)).toEqual(Array(8).fill(0))
  })

  it('is over once the device is closed', async () => {
    const direct = await createEdu()
    const gate = createGate()
    direct.onRequest = () => gate.opened
    await direct.driver.load(0x2000, 8)
    await nextTurn()
    const closed = direct.edu.close()
    gate.open()
    await closed
    expect(direct.dma.openLeaseCount).toBe(0)
  })
})
