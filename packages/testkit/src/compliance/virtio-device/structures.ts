import { describe, expect, it } from 'vitest'
import { ConfigRegister } from '../../pci/config-layout.js'
import { CommonCfg, VIRTIO_DEVICE_ID_BASE, VIRTIO_VENDOR_ID, VirtioFeature } from '../../virtio/layouts.js'
import { VirtioStructureType } from '../../virtio/layouts.js'
import type { VirtioDeviceFixture } from '../virtio-device.js'
import { useSession } from './session.js'

const ALL_ONES = 0xffff_ffff

/** [virtio] "PCI Device Layout". */
export function describeStructures (fixture: VirtioDeviceFixture): void {
  describe('structures', () => {
    const session = useSession(fixture)

    it('has the vendor, the device ID and the revision of a modern device', async () => {
      const { pci } = await session.now.attach()
      expect(await pci.vendorId()).toBe(VIRTIO_VENDOR_ID)
      expect(await pci.deviceId()).toBeGreaterThan(VIRTIO_DEVICE_ID_BASE)
      expect(await pci.deviceId()).toBeLessThanOrEqual(VIRTIO_DEVICE_ID_BASE + 0x3f)
      expect(await pci.read(ConfigRegister.REVISION_ID, 1)).toBeGreaterThan(0)
    })

    it('has all that a driver needs, aligned and inside its BARs', async () => {
      const { driver, pci } = await session.now.attach()
      const found = driver.structures.map(({ type }) => type)
      const { COMMON, NOTIFY, ISR, PCI_CFG } = VirtioStructureType
      expect(found).toEqual(expect.arrayContaining([COMMON, NOTIFY, ISR, PCI_CFG]))
      for (const { type, bar, offset, byteLength } of driver.structures.filter(each => each.type !== PCI_CFG)) {
        expect(offset + byteLength).toBeLessThanOrEqual((await pci.sizeBar(bar)).byteLength)
        expect(type === ISR ? 0 : offset % 4).toBe(0)
      }
      expect(driver.structure(COMMON).byteLength).toBeGreaterThanOrEqual(CommonCfg.queueNotifyData.offset)
    })

    it('has room for the notifications of every queue', async () => {
      const { driver: { common, ...driver } } = { driver: (await session.now.attach()).driver }
      const notify = driver.structures.find(({ type }) => type === VirtioStructureType.NOTIFY)!
      const hasData = (await common.offeredFeatures()).has(VirtioFeature.NOTIFICATION_DATA)
      const multiplier = notify.notifyOffMultiplier
      expect(multiplier & (multiplier - 1)).toBe(0)
      expect(multiplier % (hasData ? 4 : 2)).toBe(0)
      const count = await common.read(CommonCfg.numQueues)
      for (let index = 0; index < count; index++) {
        const at = await common.readQueue(index, CommonCfg.queueNotifyOff) * multiplier
        expect(at + (hasData ? 4 : 2)).toBeLessThanOrEqual(notify.byteLength)
      }
    })

    it('gives every shared memory region an ID of its own', async () => {
      const { driver } = await session.now.attach()
      const ids = driver.structures.filter(({ type }) => type === VirtioStructureType.SHARED_MEMORY).map(({ id }) => id)
      expect(new Set(ids).size).toBe(ids.length)
    })

    it('reads the same at any width', async () => {
      const { driver } = await session.now.attach()
      const { access, common: { structure } } = driver
      const words = await access.bytes(structure, structure.byteLength, 4)
      expect(await access.bytes(structure, structure.byteLength, 2)).toEqual(words)
      expect(await access.bytes(structure, structure.byteLength, 1)).toEqual(words)
    })

    it('takes halves and bytes of a field', async () => {
      const { driver: { access, common } } = await session.now.attach()
      await common.write(CommonCfg.driverFeatureSelect, 0)
      await access.write(common.structure, CommonCfg.driverFeatureSelect.offset, 1, 1)
      await access.write(common.structure, CommonCfg.driverFeatureSelect.offset + 2, 2, 0)
      expect(await common.read(CommonCfg.driverFeatureSelect)).toBe(1)
    })

    it('can be reached through configuration space as well', async () => {
      const { driver: { access, common } } = await session.now.attach()
      const { structure } = common
      await access.write(structure, CommonCfg.deviceFeatureSelect.offset, 4, 1, { path: 'config' })
      expect(await common.read(CommonCfg.deviceFeatureSelect)).toBe(1)
      const word = await access.read(structure, CommonCfg.deviceFeature.offset, 4, 'config')
      expect(word).toBe(await common.read(CommonCfg.deviceFeature))
      const count = await access.read(structure, CommonCfg.numQueues.offset, 2, 'config')
      expect(count).toBe(await common.read(CommonCfg.numQueues))
    })

    it('works as a whole through configuration space', async () => {
      const guest = await session.now.attach({ path: 'config' })
      await session.now.recover(guest)
    })

    it('stands a window that leads nowhere', async () => {
      const guest = await session.now.attach()
      const { access } = guest.driver
      const structure = guest.driver.common.structure
      for (const bar of [structure.bar, 5, 6, 0xff]) {
        for (const offset of [0x7fff_0000, 0xffff_fff0]) {
          await access.read({ ...structure, bar, offset }, 0, 4, 'config')
          await access.write({ ...structure, bar, offset }, 2, 4, ALL_ONES, { path: 'config' })
        }
      }
      await session.now.recover(guest)
    })

    it('keeps what the driver must not write', async () => {
      const { driver: { common } } = await session.now.attach()
      const fields = [
        CommonCfg.deviceFeature,
        CommonCfg.numQueues,
        CommonCfg.configGeneration,
        CommonCfg.queueNotifyOff
      ]
      const before = [...await Promise.all(fields.map(field => common.read(field)))]
      for (const field of fields) await common.write(field, ALL_ONES)
      expect(await Promise.all(fields.map(field => common.read(field)))).toEqual(before)
    })
  })
}
