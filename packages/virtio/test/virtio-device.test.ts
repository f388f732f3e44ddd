import { DmaFault } from '@pcikit/core'
import { CommandAbandonedError, VirtioFeature, VirtioStatus } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import type { VirtioDescription, VirtqueueChain } from '../src/index.js'
import { DirectGuest, shout } from './direct-guest.js'
import { settle } from './transport/harness.js'

const guests: DirectGuest[] = []

async function attach (...parameters: Parameters<typeof DirectGuest.attach>): Promise<DirectGuest> {
  const guest = await DirectGuest.attach(...parameters)
  guests.push(guest)
  return guest
}

afterEach(async () => {
  for (const guest of guests.splice(0)) await guest.close()
})

describe('a virtio device with its queues', () => {
  const { RING_PACKED, EVENT_IDX, INDIRECT_DESC, IN_ORDER, NOTIFICATION_DATA } = VirtioFeature
  it.each([
    ['nothing but VERSION_1', []],
    ['EVENT_IDX', [EVENT_IDX]],
    ['INDIRECT_DESC', [INDIRECT_DESC]],
    ['IN_ORDER', [IN_ORDER]],
    ['NOTIFICATION_DATA', [NOTIFICATION_DATA]],
    ['RING_PACKED', [RING_PACKED]],
    ['RING_PACKED and EVENT_IDX', [RING_PACKED, EVENT_IDX]],
    ['RING_PACKED and NOTIFICATION_DATA', [RING_PACKED, NOTIFICATION_DATA]]
  ])('answers with %s', async (_name, only) => {
    const guest = await attach({}, shout)
    const [queue] = await guest.driver.start({ features: { only } })
    for (let round = 0; round < 100; round++) expect(await guest.ask(queue!, `round ${round}`)).toBe(`ROUND ${round}`)
    expect(guest.driver.anomalies).toEqual([])
    expect(guest.errors).toEqual([])
  })

  it('answers a driver that takes all that is offered', async () => {
    const guest = await attach({}, shout)
    const [queue] = await guest.driver.start()
    expect(guest.driver.features.has(VirtioFeature.RING_RESET)).toBe(true)
    expect(await guest.ask(queue!, 'all')).toBe('ALL')
  })

  it('is reached through configuration space alone', async () => {
    const guest = await attach({}, shout, 'config')
    const [queue] = await guest.driver.start({ features: { only: [] } })
    expect(await guest.ask(queue!, 'firmware')).toBe('FIRMWARE')
  })

  it('has queues of their own sizes', async () => {
    const guest = await attach({ queues: [{ entriesMax: 8 }, { entriesMax: 32768 }] }, shout)
    const [first, second] = await guest.driver.start({
      features: { only: [RING_PACKED] },
      queues: [{ index: 0, size: 3 }, { index: 1, size: 32768 }]
    })
    expect(await Promise.all([guest.ask(first!, 'small'), guest.ask(second!, 'large')])).toEqual(['SMALL', 'LARGE'])
  })

  it('looks at its queues by itself where notifications are mapped', async () => {
    const guest = await attach({ times: { doorbells: 'mmap' } }, shout)
    const [queue] = await guest.driver.start({ features: { only: [] } })
    guest.driver.sendNotification = async () => undefined
    expect(await guest.ask(queue!, 'polled')).toBe('POLLED')
  })

  it('interrupts by the vector of the queue', async () => {
    const guest = await attach({}, shout)
    const triggers = guest.countInterrupts(2)
    await guest.driver.negotiate({ only: [] })
    const queue = await guest.driver.createQueue({ index: 0, vector: 1 })
    await guest.driver.common.writeQueue(0, { offset: 0x1a, size: 2 } as never, 1)
    await guest.driver.ready()
    queue.ring.allowInterrupts(true)
    await guest.ask(queue, 'interrupt')
    expect(triggers.map(({ count }) => count)).toEqual([0, 1])
  })
})

describe('a virtio device with chains in flight', () => {
  /** A device that keeps what it gets, and a driver that has given it one. */
  async function keep (description: Partial<VirtioDescription> = {}, isStuck = false) {
    const kept: VirtqueueChain[] = []
    const reset = (): void => {
      if (isStuck) return
      for (const chain of kept.splice(0)) chain.complete(0)
    }
    const guest = await attach(description, { take: chain => kept.push(chain), reset })
    const [queue] = await guest.driver.start({ features: { without: [VirtioFeature.IN_ORDER] } })
    const answer = guest.ask(queue!, 'wait').catch((error: unknown) => error)
    while (kept.length === 0) await settle()
    return { guest, queue: queue!, kept, chain: kept[0]!, answer }
  }

  it('lets go of them in a reset, and works again', async () => {
    const { guest, chain, kept, answer } = await keep()
    expect(chain.writable.open(0, 4)).toBe(DmaFault.NONE)
    await guest.driver.reset()
    expect(await answer).toBeInstanceOf(CommandAbandonedError)
    expect(kept).toEqual([])
    expect(chain.isLive).toBe(false)
    await guest.driver.start()
    const again = guest.ask(guest.driver.queue(0), 'again', 4)
    while (kept.length === 0) await settle()
    kept.pop()!.complete(0)
    expect(await again).toBe('')
  })

  it('lets go of those of a queue in its reset, and waits for them', async () => {
    const { guest, chain, kept, answer } = await keep()
    const reset = guest.driver.resetQueue(0)
    await settle()
    expect(await guest.driver.common.readQueue(0, { offset: 0x3a, size: 2 } as never)).toBe(1)
    expect(chain.isLive).toBe(false)
    kept.pop()!.complete(0)
    await reset
    expect(await answer).toBeInstanceOf(CommandAbandonedError)
    const queue = await guest.driver.createQueue({ index: 0, size: 16 })
    const again = guest.ask(queue, 'again')
    while (kept.length === 0) await settle()
    kept.pop()!.complete(0)
    expect(await again).toBe('')
  })

  it('lets go of them in a function-level reset', async () => {
    const { guest, chain, answer } = await keep()
    await guest.device.function.reset()
    guest.driver.abandon('The function was reset.')
    await answer
    expect(chain.isLive).toBe(false)
    expect(await guest.driver.common.status()).toBe(0)
  })

  it('lets go of them when it is closed', async () => {
    const { guest, kept } = await keep()
    await guest.device.close()
    expect(kept).toEqual([])
    expect(guest.errors).toEqual([])
  })

  it('writes nothing of the copies of fault policy drop after a reset', async () => {
    const { guest, chain } = await keep({ faultPolicy: 'drop' }, true)
    const { lease } = chain.writable
    expect(chain.writable.open(0, 4)).toBe(DmaFault.NONE)
    const before = Buffer.from(guest.memory.bytesAt(0x10_0000, 0x8_0000))
    await guest.driver.common.reset()
    lease.bytesAt(0).fill(0x77, lease.offsetAt(0), lease.offsetAt(0) + 4)
    await lease.commit()
    expect(Buffer.compare(guest.memory.bytesAt(0x10_0000, 0x8_0000), before)).toBe(0)
    chain.complete(4)
  })
})

describe('a driver that breaks the rules', () => {
  it('has to reset the device, and can', async () => {
    const guest = await attach({}, shout)
    const [queue] = await guest.driver.start({ features: { only: [] } })
    queue!.ring.addRaw([{ iova: 0x10_0000, byteLength: 4, flags: 1, next: 0 }] as never)
    queue!.ring.publish()
    await guest.driver.sendNotification(0, 2, 0)
    while (!await guest.driver.common.needsReset()) await settle()
    expect(await guest.driver.isr() & 2).toBe(2)
    expect(guest.errors[0]).toContain('the device needs a reset: ')
    const [again] = await guest.driver.start({ features: { only: [] } })
    expect(await guest.ask(again!, 'again')).toBe('AGAIN')
    expect(await guest.driver.common.status() & VirtioStatus.DEVICE_NEEDS_RESET).toBe(0)
  })

  it('does not touch other devices', async () => {
    const broken = await attach({}, {
      take: chain => {
        chain.complete(0)
        throw new Error('broken')
      }
    })
    const sound = await attach({}, shout)
    const [queue] = await sound.driver.start()
    await broken.driver.start()
    void broken.ask(broken.driver.queue(0), 'anything').catch(() => undefined)
    while (!await broken.driver.common.needsReset()) await settle()
    expect(await sound.ask(queue!, 'sound')).toBe('SOUND')
  })
})
