// A Debian kernel that maps memory for its disks page by page, through an IOMMU.
import { describe, expect, it } from 'vitest'
import { bootGuest, ensureVm } from '@pcikit/testkit/vm'
import type { DeviceProcess } from './device-process.js'
import { checkFileSystem, findDisk, makeFileSystem, verifyWithFio, waitForDisk } from './disk-scenarios.js'
import { deviceProperties, readRecord, startRecordedDevice } from './recorded-device.js'

const vm = await ensureVm()
const pageBytes = 4096
const memoryBytes = 512 * 1024 * 1024
const serials = ['NVME', 'VIRTIO']

/** Behind root ports of their own. */
function attach (devices: readonly DeviceProcess[]): string[] {
  return devices.flatMap((device, index) => [
    ...['-device', `pcie-root-port,id=port${index},chassis=${index + 1}`],
    ...['-device', JSON.stringify(deviceProperties(device, index))]
  ])
}

describe.each([
  { iommu: 'intel-iommu', options: ',caching-mode=on', kernelArguments: 'intel_iommu=on iommu.strict=1' },
  { iommu: 'virtio-iommu-pci', options: '', kernelArguments: 'iommu.strict=1' }
])('an NVMe controller and a virtio block device behind $iommu', ({ iommu, options, kernelArguments }) => {
  it('find their queues and their data through pages that the kernel maps one by one', async () => {
    await using nvme = await startRecordedDevice('nvme', [], serials[0])
    await using virtio = await startRecordedDevice('virtio-blk', [], serials[1])
    const devices = [nvme, virtio]
    await using guest = await bootGuest(vm, {
      boot: { kind: 'initramfs', kernelArguments },
      // Only devices that come after it are behind the IOMMU.
      qemuArguments: ['-device', `${iommu}${options}`, ...attach(devices)]
    })
    await guest.ready()
    for (const serial of serials) {
      await waitForDisk(guest, serial)
      const disk = await findDisk(guest, serial)
      expect(await guest.check(`cat /sys/bus/pci/devices/${disk.address}/iommu_group/type`)).toBe('DMA\n')
      await verifyWithFio(guest, disk, 1)
      const digest = await makeFileSystem(guest, disk)
      await checkFileSystem(guest, disk, digest)
      // Powering off, Linux leaves the queues of virtio devices as they are and takes the IOMMU away, with other memory
      // where the queues are.
      await guest.check(`echo ${disk.address} >/sys/bus/pci/devices/${disk.address}/driver/unbind`)
    }
    expect(await guest.powerOff()).toMatchObject({ status: 0 })

    for (const device of devices) {
      const events = await readRecord(device)
      const maps = events.filter(event => event.type === 'map')
      // The firmware ran without the IOMMU: all memory was there.
      expect(maps[0]).toMatchObject({ iova: 0, byteLength: memoryBytes })
      expect(maps.filter(({ byteLength }) => byteLength === pageBytes).length).toBeGreaterThan(100)
      expect(events.filter(event => event.type === 'fault')).toEqual([])
    }
  })
})
