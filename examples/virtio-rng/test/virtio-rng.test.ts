import { sendSample, VirtioGuest } from '@pcikit/testkit'
import type { Virtqueue } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { virtioRngOptionsSchema } from '../src/index.js'
import { sampleEntropy, serveRng } from './served-rng.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

/** A guest at an entropy device, whose driver has not started. */
async function attach (options: Record<string, unknown> = {}): Promise<VirtioGuest> {
  const served = await serveRng(options)
  cleanups.push(() => served.close())
  const guest = await VirtioGuest.attach(served.path, { interrupts: 'msix' })
  cleanups.push(() => guest.leave())
  return guest
}

/** The only queue of a device that was started. */
async function start ({ driver }: VirtioGuest): Promise<Virtqueue> {
  const [queue] = await driver.start()
  if (queue === undefined) throw new Error('The device has no queue.')
  return queue
}

async function ask (guest: VirtioGuest, queue: Virtqueue, byteLength: number): Promise<Uint8Array> {
  const iova = guest.memory.allocate(byteLength)
  const { written } = await queue.submit({ readable: [], writable: [{ iova, byteLength }] })
  return guest.memory.bytesAt(iova, written)
}

describe('the entropy device', () => {
  it('gives different bytes every time', async () => {
    const guest = await attach()
    const queue = await start(guest)
    const [first, second] = [await ask(guest, queue, 32), await ask(guest, queue, 32)]
    expect([first.length, second.length]).toEqual([32, 32])
    expect(Buffer.compare(first, second)).not.toBe(0)
  })

  it('fills a part of a buffer that is very large', async () => {
    const guest = await attach()
    const queue = await start(guest)
    expect(await ask(guest, queue, 1024 * 1024)).toHaveLength(65536)
  })

  it('fills a buffer in pieces', async () => {
    const guest = await attach()
    await sendSample(await start(guest), guest.memory, sampleEntropy(100), { cut: [1, 7, 30], indirect: true })
  })

  it('gives no more in a period than it may, and goes on in the next', async () => {
    const guest = await attach({ bytesPerSecond: 80 })
    const queue = await start(guest)
    const answers = await Promise.all([6, 6, 6].map(byteLength => ask(guest, queue, byteLength)))
    expect(answers.map(bytes => bytes.length)).toEqual([6, 2, 6])
  })

  it('lets go of buffers that wait when it is reset', async () => {
    const guest = await attach({ bytesPerSecond: 1 })
    const queue = await start(guest)
    await ask(guest, queue, 1)
    const waiting = [ask(guest, queue, 1), ask(guest, queue, 1)].map(answer => answer.catch((error: unknown) => error))
    await guest.driver.reset()
    expect(await Promise.all(waiting)).toEqual([expect.any(Error), expect.any(Error)])
    expect(await ask(guest, await start(guest), 1)).toHaveLength(1)
    expect(guest.driver.anomalies).toEqual([])
  })

  it('gives a buffer back empty that it cannot reach', async () => {
    const guest = await attach()
    const queue = await start(guest)
    const nowhere = { iova: 0x7000_0000, byteLength: 16 }
    expect(await queue.submit({ readable: [], writable: [nowhere] })).toMatchObject({ written: 0 })
    expect(await ask(guest, queue, 8)).toHaveLength(8)
  })

  it.each([{ bytesPerSecond: 0 }, { bytesPerSecond: 1.5 }, { speed: 1 }])('refuses %o', options => {
    expect(virtioRngOptionsSchema.safeParse(options).success).toBe(false)
  })
})
