// Memory that comes, goes and moves under a Debian kernel that uses our NVMe controller.
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DmaFault } from '@pcikit/core'
import type { RecordEvent } from '@pcikit/core'
import { bootGuest, ensureVm } from '@pcikit/testkit/vm'
import type { Guest } from '@pcikit/testkit/vm'
import { startDevice } from './device-process.js'
import type { DeviceProcess } from './device-process.js'
import { checkFileSystem, findDisk, makeFileSystem, verifyWithFio } from './disk-scenarios.js'
import { GuestLoad } from './guest-load.js'

const vm = await ensureVm()
const serial = 'PCIKIT0002'
const diskBytes = 256 * 1024 * 1024
const pageBytes = 4096
const moreMemory = { iova: 0x1_0000_0000, byteLength: 512 * 1024 * 1024 }
const unplugTimeoutMs = 120_000
/** What a guest says of a request to eject something, through ACPI's method _OST. */
const ejection = { source: 3, success: 0, inProgress: 0x84 }

async function start (args: readonly string[] = []): Promise<DeviceProcess> {
  return startDevice({
    args: folder => [
      ...['--backend', `file:${join(folder, 'disk.img')}`, '--serial', serial],
      ...['--record', join(folder, 'record'), ...args]
    ],
    prepare: async folder => {
      const file = await open(join(folder, 'disk.img'), 'w')
      await file.truncate(diskBytes)
      await file.close()
    }
  })
}

/** What the device has recorded, once it has written all of it: after it was stopped. */
async function readRecord (device: DeviceProcess): Promise<RecordEvent[]> {
  expect(await device.stop()).toBe(0)
  const lines = await readFile(join(device.folder, 'record'), 'utf8')
  return lines.trim().split('\n').map(line => JSON.parse(line) as RecordEvent)
}

function deviceProperties (device: DeviceProcess): Record<string, unknown> {
  return { driver: 'vfio-user-pci', id: 'disk0', bus: 'port0', socket: { type: 'unix', path: device.socketPath } }
}

describe.each([
  { iommu: 'intel-iommu', options: ',caching-mode=on', kernelArguments: 'intel_iommu=on iommu.strict=1' },
  { iommu: 'virtio-iommu-pci', options: '', kernelArguments: 'iommu.strict=1' }
])('an NVMe controller behind $iommu', ({ iommu, options, kernelArguments }) => {
  it('finds its queues and its data through pages that the kernel maps one by one', async () => {
    await using device = await start()
    await using guest = await bootGuest(vm, {
      boot: { kind: 'initramfs', kernelArguments },
      // Only devices that come after it are behind the IOMMU.
      qemuArguments: [
        ...['-device', `${iommu}${options}`, '-device', 'pcie-root-port,id=port0,chassis=1'],
        ...['-device', JSON.stringify(deviceProperties(device))]
      ]
    })
    await guest.ready()
    const disk = await findDisk(guest, serial)
    const name = disk.controller.replace('/dev/', '')
    expect(await guest.check(`cat /sys/class/nvme/${name}/device/iommu_group/type`)).toBe('DMA\n')
    await verifyWithFio(guest, disk, 1)
    const digest = await makeFileSystem(guest, disk)
    await checkFileSystem(guest, disk, digest)
    expect(await guest.powerOff()).toMatchObject({ status: 0 })

    const events = await readRecord(device)
    const maps = events.filter(event => event.type === 'map')
    // The firmware ran without the IOMMU: all memory was there.
    expect(maps[0]).toMatchObject({ iova: 0, byteLength: moreMemory.byteLength })
    expect(maps.filter(({ byteLength }) => byteLength === pageBytes).length).toBeGreaterThan(100)
    expect(events.filter(event => event.type === 'fault')).toEqual([])
  })
})

describe('an NVMe controller under load', () => {
  let device: DeviceProcess
  let guest: Guest
  let digest: string
  /** The controller's address in the guest. */
  let address: string

  beforeAll(async () => {
    // QEMU 11.1 ends with an assertion when any vfio-user device with MSI-X is unplugged.
    device = await start(['--msix-vectors', '0'])
    guest = await bootGuest(vm, {
      boot: { kind: 'initramfs', kernelArguments: 'memhp_default_state=online_movable' },
      vfioUserSockets: [device.socketPath],
      qemuArguments: ['-m', 'size=512M,slots=1,maxmem=2G']
    })
    await guest.ready()
    const disk = await findDisk(guest, serial)
    address = (await guest.check(`cat /sys/class/nvme/${disk.controller.slice(5)}/address`)).trim()
    digest = await makeFileSystem(guest, disk)
  })

  afterAll(async () => {
    await guest[Symbol.asyncDispose]()
    await device[Symbol.asyncDispose]()
  })

  it('goes on when bus mastering was off for a moment', async () => {
    const load = await GuestLoad.start(guest, await findDisk(guest, serial))
    const before = await guest.check('dmesg | grep -c nvme')
    await load.runAmid(`setpci -s ${address} COMMAND=0:4; setpci -s ${address} COMMAND=4:4`)
    await load.proceeds()
    await load.stop()
    expect(await guest.check('dmesg | grep -c nvme')).toBe(before)
  })

  it('is recovered by the kernel when bus mastering stays off', async () => {
    const disk = await findDisk(guest, serial)
    const load = await GuestLoad.start(guest, disk)
    const adminTimeout = '/sys/module/nvme_core/parameters/admin_timeout'
    const ioTimeout = `/sys/block/${disk.path.slice(5)}/queue/io_timeout`
    const restore = await guest.check(`echo "echo $(cat ${adminTimeout}) >${adminTimeout}; " \\
      "echo $(cat ${ioTimeout}) >${ioTimeout}"`)
    // Seconds here, milliseconds there.
    await guest.check(`echo 2 >${adminTimeout}; echo 1000 >${ioTimeout}`)
    await load.runAmid(`setpci -s ${address} COMMAND=0:4`)
    await guest.check("until dmesg | grep -E 'reset controller|will reset'; do sleep 0.1; done")
    await load.proceeds()
    await guest.check(restore)
    await load.stop()
    expect(Number.parseInt(await guest.check(`setpci -s ${address} COMMAND`), 16) & 4).toBe(4)
  })

  it('comes back after a function level reset', async () => {
    const load = await GuestLoad.start(guest, await findDisk(guest, serial))
    expect(await guest.check(`cat /sys/bus/pci/devices/${address}/reset_method`)).toMatch(/^flr\b/)
    await load.runAmid(`echo flr >/sys/bus/pci/devices/${address}/reset_method
      echo 1 >/sys/bus/pci/devices/${address}/reset`)
    await load.proceeds()
    await load.stop()
  })

  it('uses memory that is plugged in, until it is unplugged', async () => {
    const disk = await findDisk(guest, serial)
    const load = await GuestLoad.start(guest, disk)
    const backend = { 'qom-type': 'memory-backend-memfd', id: 'more', size: moreMemory.byteLength, share: true }
    await guest.qmp.execute('object-add', backend)
    await guest.qmp.execute('device_add', { driver: 'pc-dimm', id: 'dimm0', memdev: 'more' })
    await guest.check('until [ "$(awk \'/MemTotal/ { print $2 }\' /proc/meminfo)" -gt 800000 ]; do sleep 0.1; done')
    await load.stop()

    // The buffers of a program that starts now come from the new memory.
    const second = await GuestLoad.start(guest, disk)
    await unplugMemory(guest)
    await second.proceeds()
    await second.stop()
    expect(Number(await guest.check("awk '/MemTotal/ { print $2 }' /proc/meminfo"))).toBeLessThan(524_288)
  })

  it('is unplugged and plugged again, ten times', async () => {
    for (let round = 0; round < 10; round++) {
      const load = await GuestLoad.start(guest, await findDisk(guest, serial))
      const deleted = guest.qmp.waitForEvent(
        'DEVICE_DELETED',
        unplugTimeoutMs,
        ({ data }) => data['device'] === 'disk0'
      )
      await guest.qmp.execute('device_del', { id: 'disk0' })
      await deleted
      expect(await load.end()).not.toBe(0)
      await guest.qmp.execute('device_add', deviceProperties(device))
      await guest.check(`until grep -slw ${serial} /sys/block/nvme*n1/device/serial; do sleep 0.1; done`)
    }
    const disk = await findDisk(guest, serial)
    await checkFileSystem(guest, disk, digest)
    await verifyWithFio(guest, disk, 1)
    expect(await guest.powerOff()).toMatchObject({ status: 0 })
  })

  it('has all of it on record', async () => {
    const events = await readRecord(device)
    expect(events).toContainEqual(expect.objectContaining({ type: 'reset', cause: 'flr' }))
    for (const type of ['map', 'unmap']) {
      expect(events).toContainEqual(expect.objectContaining({ type, ...moreMemory }))
    }
    expect(events.filter(event => event.type === 'client' && event.connected)).toHaveLength(11)
    const faults = events.filter(event => event.type === 'fault').map(({ fault }) => fault)
    expect(new Set(faults)).toEqual(new Set([DmaFault.BUS_MASTER_OFF]))
  })
})

/** Unplugs what was plugged in. The guest refuses while it cannot move something away, so it is asked again. */
async function unplugMemory (guest: Guest): Promise<void> {
  for (;;) {
    const answered = guest.qmp.waitForEvent('ACPI_DEVICE_OST', unplugTimeoutMs, ({ data }) => {
      const { source, status } = data['info'] as { source: number, status: number }
      return source === ejection.source && status !== ejection.inProgress
    })
    await guest.qmp.execute('device_del', { id: 'dimm0' })
    const { data } = await answered
    if ((data['info'] as { status: number }).status === ejection.success) return
  }
}
