import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { GuestMemory } from '../../src/guest/guest-memory.js'
import { PciDriver } from '../../src/pci/pci-driver.js'
import { VirtioFeature, VirtioStructureType } from '../../src/virtio/layouts.js'
import { VirtioPciDriver } from '../../src/virtio/virtio-pci-driver.js'
import type { VirtioPciDriverOptions } from '../../src/virtio/virtio-pci-driver.js'
import { FakeFunction, PLACES } from './fake-function.js'
import type { OfferedWords } from './fake-function.js'

const { NOTIFICATION_DATA, NOTIF_CONFIG_DATA, RING_PACKED, VERSION_1, ADMIN_VQ } = VirtioFeature
const CHAIN = { readable: [{ iova: 0x1000, byteLength: 16 }], writable: [] }

let memory: GuestMemory
beforeEach(() => {
  memory = new GuestMemory()
  memory.add({ iova: 0x10_0000, byteLength: 0x10_0000 })
})
afterEach(() => memory.close())

function wordOf (...features: readonly number[]): OfferedWords {
  return [0x10, features.reduce((word, bit) => word | 1 << bit - 32, 0)]
}

async function attach (offered: OfferedWords, options: Partial<VirtioPciDriverOptions> = {}) {
  const fake = new FakeFunction(offered)
  const driver = await VirtioPciDriver.attach({ access: fake, pci: new PciDriver(fake), memory, ...options })
  return { fake, driver }
}

describe('a virtio driver', () => {
  it('finds the structures, those above 4 GiB too', async () => {
    const { driver } = await attach(wordOf(VERSION_1))
    expect(driver.structure(VirtioStructureType.NOTIFY)).toEqual({
      type: 2,
      bar: 0,
      id: 0,
      offset: PLACES.notify,
      byteLength: 64,
      capability: 0x60,
      notifyOffMultiplier: 4
    })
    expect(driver.structure(VirtioStructureType.SHARED_MEMORY)).toMatchObject({
      offset: 0x1_0000_1000,
      byteLength: 0x2_0000_2000
    })
    expect(() => driver.structure(9)).toThrow('no virtio structure')
  })

  it('takes what is offered, but for what it has no use for and what it is told not to', async () => {
    const { driver, fake } = await attach(wordOf(VERSION_1, ADMIN_VQ, RING_PACKED))
    expect(await driver.negotiate({ without: [RING_PACKED] })).toEqual(new Set([4, VERSION_1]))
    expect(await driver.negotiate({ only: [RING_PACKED, 7] })).toEqual(new Set([VERSION_1, RING_PACKED]))
    expect(await driver.negotiate({ only: [], also: [9] })).toEqual(new Set([VERSION_1, 9]))
    const status = fake.writes.filter(write => write.startsWith('54=')).slice(0, 4)
    expect(status).toEqual(['54=0/1', '54=1/1', '54=3/1', '54=b/1'])
  })

  it('throws where the device refuses the features', async () => {
    const { driver, fake } = await attach(wordOf(VERSION_1))
    fake.refusesFeatures = true
    await expect(driver.negotiate()).rejects.toThrow('refuses the features')
  })

  it('writes addresses as two words, and enables last', async () => {
    const { driver, fake } = await attach(wordOf(VERSION_1))
    await driver.negotiate()
    fake.writes.length = 0
    const place = { descriptors: 0x10_0000, driver: 0x10_1000, device: 0x10_2000 }
    await driver.createQueue({ index: 1, size: 16, place })
    const written = fake.writes.slice(fake.writes.indexOf('58=10/2'))
    expect(written).toEqual([
      ...['58=10/2', '5a=ffff/2', '60=100000/4', '64=0/4', '68=101000/4', '6c=0/4', '70=102000/4', '74=0/4', '5c=1/2']
    ])
  })

  it.each([
    { features: [], expected: '108=1/2' },
    { features: [NOTIFICATION_DATA], expected: '108=10001/4' },
    { features: [NOTIFICATION_DATA, RING_PACKED], expected: '108=80010001/4' },
    { features: [NOTIF_CONFIG_DATA], expected: '108=777/2' },
    { features: [NOTIF_CONFIG_DATA, NOTIFICATION_DATA], expected: '108=10777/4' }
  ])('notifies with $expected for $features', async ({ features, expected }) => {
    const { driver, fake } = await attach(wordOf(VERSION_1, ...features))
    fake.bar.setUint16(PLACES.common + 30, 2, true)
    fake.bar.setUint16(PLACES.common + 56, 0x777, true)
    await driver.negotiate()
    const queue = await driver.createQueue({ index: 1, size: 16 })
    queue.add(CHAIN)
    await queue.kick()
    expect(fake.writes.at(-1)).toBe(expected)
  })

  it('reads the configuration again where it changed meanwhile', async () => {
    const { driver, fake } = await attach(wordOf(VERSION_1))
    let reads = 0
    fake.onRead = offset => {
      if (offset !== PLACES.device + 4 || ++reads > 2) return
      fake.bar.setUint8(PLACES.common + 21, reads)
      fake.bar.setUint32(PLACES.device, reads, true)
      fake.bar.setUint32(PLACES.device + 4, reads, true)
    }
    expect(await driver.configBytes(8)).toEqual(Uint8Array.of(2, 0, 0, 0, 2, 0, 0, 0))
    expect(reads).toBe(3)
  })

  it('reaches structures through configuration space', async () => {
    const { driver, fake } = await attach(wordOf(VERSION_1), { path: 'config' })
    fake.bar.setUint32(PLACES.device, 0x1234_5678, true)
    expect(await Promise.all([driver.readConfig(0, 4), driver.readConfig(2, 2)])).toEqual([0x1234_5678, 0x1234])
    expect(fake.writes).toEqual([])
  })

  it('refuses a queue that is larger than the device has it', async () => {
    const { driver } = await attach(wordOf(VERSION_1))
    await driver.negotiate()
    await expect(driver.createQueue({ index: 0, size: 128 })).rejects.toThrow('64 entries at most')
  })
})
