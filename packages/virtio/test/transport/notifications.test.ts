import { isPcikitError, RegionIndex } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { Common, Harness, High, NOTIFY, Status } from './harness.js'

describe('a notification', () => {
  it('names its queue at the address of the queue', () => {
    const harness = new Harness()
    harness.start()
    void harness.write(NOTIFY, 2, 0)
    void harness.write(NOTIFY + 4, 2, 1)
    expect(harness.engine.calls.slice(2)).toEqual(['notify 0', 'notify 1'])
  })

  it('may tell how far the queue is', () => {
    const harness = new Harness()
    harness.start(0, High.VERSION_1 | High.NOTIFICATION_DATA)
    void harness.write(NOTIFY + 4, 4, 0x8123_0001)
    expect(harness.engine.calls.slice(2)).toEqual(['notify 1'])
  })

  it('of a queue that there is not means nothing', () => {
    const harness = new Harness()
    harness.start()
    void harness.write(NOTIFY, 2, 2)
    void harness.write(NOTIFY, 2, 0xffff)
    void harness.write(NOTIFY, 4, 0x0000_0002)
    expect(harness.engine.calls).toEqual(['enable 0', 'start'])
  })

  it('in part of its place means nothing', () => {
    const harness = new Harness()
    harness.start()
    void harness.write(NOTIFY, 1, 0)
    void harness.write(NOTIFY + 2, 2, 0)
    expect(harness.engine.calls).toEqual(['enable 0', 'start'])
  })

  it('means nothing before DRIVER_OK', () => {
    const harness = new Harness()
    harness.negotiate()
    harness.enableQueue(0)
    void harness.write(NOTIFY, 2, 0)
    expect(harness.engine.calls).toEqual(['enable 0'])
    void harness.setStatus(harness.status | Status.DRIVER_OK)
    void harness.write(NOTIFY, 2, 0)
    expect(harness.engine.calls).toEqual(['enable 0', 'start', 'notify 0'])
  })

  it('is not read back', () => {
    const harness = new Harness()
    harness.start()
    void harness.write(NOTIFY, 2, 1)
    expect(harness.read(NOTIFY, 4)).toBe(0)
  })
})

describe('the notification structure', () => {
  it('has 4 bytes for each queue', () => {
    const harness = new Harness()
    const at = harness.structure(2)!
    expect(harness.config(at + 16, 4)).toBe(4)
    expect(harness.config(at + 12, 4)).toBe(8)
  })

  it('grows beyond a page', () => {
    const harness = new Harness({ queues: new Array(1500).fill({ entriesMax: 1 }) })
    harness.start()
    const at = harness.structure(2)!
    expect(harness.config(at + 12, 4)).toBe(6000)
    expect(harness.device.function.region(RegionIndex.BAR4).byteLength).toBe(0x8000)
    harness.select(1499)
    void harness.write(NOTIFY + harness.read(Common.QUEUE_NOTIFY_OFF, 2) * 4, 2, 1499)
    expect(harness.engine.calls.at(-1)).toBe('notify 1499')
  })
})

describe('mapped notifications', () => {
  const mapped = { times: { doorbells: 'mmap' as const } }

  it('are a page that the client maps', () => {
    const harness = new Harness(mapped)
    expect(harness.device.function.region(RegionIndex.BAR4).memory).toEqual({
      descriptor: 42,
      fileOffset: 0,
      areas: [{ offset: 0x3000, byteLength: 0x1000 }]
    })
    expect(harness.pages[0]?.bytes.length).toBe(0x4000)
    expect(harness.engine.surroundings.times).toEqual(
      { doorbells: 'mmap', watchUs: 1000, pollSocketUs: 500, pollIdleUs: 10_000, pollBackOffMs: 8 }
    )
  })

  it('count as messages too, and are stored', () => {
    const harness = new Harness(mapped)
    harness.start()
    void harness.write(NOTIFY + 4, 2, 1)
    void harness.write(NOTIFY + 0xffc, 4, 0xffff_ffff)
    expect(harness.engine.calls.at(-1)).toBe('notify 1')
    expect(harness.pages[0]?.bytes[NOTIFY + 4]).toBe(1)
    expect([harness.read(NOTIFY + 4, 4), harness.read(NOTIFY + 4, 1), harness.read(NOTIFY + 4, 2)]).toEqual([1, 1, 1])
  })

  it('are not there where notifications are trapped', () => {
    const harness = new Harness()
    expect(harness.pages).toEqual([])
    expect(harness.device.function.region(RegionIndex.BAR4).memory).toBeUndefined()
  })

  it('need memory that clients can map', () => {
    const create = () => new Harness(mapped, {}, false)
    expect(create).toThrow('nothing provides SHARED_MEMORY')
    expect(codeOf(create)).toBe(true)
  })

  it('let their memory go when the device is closed', async () => {
    const harness = new Harness(mapped)
    await harness.device.close()
    expect(harness.closedPages).toEqual(harness.pages)
  })
})

function codeOf (create: () => unknown): boolean {
  try {
    create()
    return false
  } catch (error) {
    return isPcikitError(error, 'PCIKIT_SERVICE_NOT_FOUND')
  }
}
