// Memory that comes, goes and moves under a Debian kernel that uses a disk of ours.
import { describe, expect, it } from 'vitest'
import { DmaFault } from '@pcikit/core'
import type { RecordEvent } from '@pcikit/core'
import { ensureVm } from '@pcikit/testkit/vm'
import type { Guest } from '@pcikit/testkit/vm'
import { findDisk } from './disk-scenarios.js'
import { GuestLoad } from './guest-load.js'
import { openDescriptors, readRecord, serial, startMachine, touchedMemory } from './recorded-device.js'

const vm = await ensureVm()
const memoryBytes = 512 * 1024 * 1024
const moreMemory = { iova: 0x1_0000_0000, byteLength: memoryBytes }
const timeoutMs = 120_000
const disks = [
  { disk: 'an NVMe controller', type: 'nvme', driver: 'nvme' },
  { disk: 'a virtio block device', type: 'virtio-blk', driver: 'virtio' }
] as const
/** What a guest says of a request to eject something, through ACPI's method _OST. */
const ejection = { source: 3, success: 0, inProgress: 0x84 }

function faultsOf (events: readonly RecordEvent[]): Set<DmaFault> {
  return new Set(events.flatMap(event => event.type === 'fault' ? [event.fault] : []))
}

describe.each(disks)('$disk under load', ({ type, driver }) => {
  it('goes on when bus mastering was off for a moment', async () => {
    await using machine = await startMachine(vm, { type })
    const { guest, device, address } = machine
    const load = await GuestLoad.start(guest, await findDisk(guest, serial))
    const before = await guest.check(`dmesg | grep -c ${driver}`)
    await load.runAmid(`setpci -s ${address} COMMAND=0:4; setpci -s ${address} COMMAND=4:4`)
    await load.proceeds()
    await load.stop()
    expect(await guest.check(`dmesg | grep -c ${driver}`)).toBe(before)
    expect(await guest.powerOff()).toMatchObject({ status: 0 })
    const faults = faultsOf(await readRecord(device))
    expect([...faults].filter(fault => fault !== DmaFault.BUS_MASTER_OFF)).toEqual([])
  })

  it('uses memory that is plugged in, until it is unplugged', async () => {
    await using machine = await startMachine(vm, {
      type,
      kernelArguments: 'memhp_default_state=offline',
      qemuArguments: ['-m', 'size=512M,slots=1,maxmem=2G']
    })
    const { guest, device } = machine
    const disk = await findDisk(guest, serial)
    const load = await GuestLoad.start(guest, disk)
    const before = { files: [...(await touchedMemory(device.pid)).keys()], open: await openDescriptors(device.pid) }
    await plugMemory(guest)
    const findPlugged = async (): Promise<string | undefined> =>
      [...(await touchedMemory(device.pid)).keys()].find(file => !before.files.includes(file))
    await expect.poll(findPlugged, { timeout: timeoutMs }).toBeDefined()
    const plugged = await findPlugged() ?? ''
    await load.proceeds()
    await load.stop()
    // Nothing is there yet that the guest would have the disk read or write.
    expect((await touchedMemory(device.pid)).get(plugged)).toBe(0)

    // Programs' pages, such as the buffers of what starts now, come from movable memory where there is some. Queues
    // and PRP lists never do: whatever the disk touches there is data.
    await makeMovable(guest)
    const second = await GuestLoad.start(guest, disk)
    expect((await touchedMemory(device.pid)).get(plugged)).toBeGreaterThan(0)
    await unplugMemory(guest)
    await expect.poll(async () => [...(await touchedMemory(device.pid)).keys()], { timeout: timeoutMs })
      .toEqual(before.files)
    expect(await openDescriptors(device.pid)).toEqual(before.open)
    await second.proceeds()
    await second.stop()
    expect(await guest.powerOff()).toMatchObject({ status: 0 })

    const events = await readRecord(device)
    for (const type of ['map', 'unmap']) {
      expect(events).toContainEqual(expect.objectContaining({ type, ...moreMemory }))
    }
    expect(faultsOf(events)).toEqual(new Set())
  })
})

describe('an NVMe controller under load', () => {
  it('is recovered by the kernel when bus mastering stays off', async () => {
    await using machine = await startMachine(vm)
    const { guest, device, address } = machine
    const disk = await findDisk(guest, serial)
    const load = await GuestLoad.start(guest, disk)
    // Seconds here, milliseconds there.
    await guest.check('echo 2 >/sys/module/nvme_core/parameters/admin_timeout')
    await guest.check(`echo 1000 >/sys/block/${disk.path.slice(5)}/queue/io_timeout`)
    await load.runAmid(`setpci -s ${address} COMMAND=0:4`)
    await guest.check("until dmesg | grep -E 'reset controller|will reset'; do sleep 0.1; done")
    await load.proceeds()
    await load.stop()
    expect(Number.parseInt(await guest.check(`setpci -s ${address} COMMAND`), 16) & 4).toBe(4)
    expect(await guest.powerOff()).toMatchObject({ status: 0 })
    expect(faultsOf(await readRecord(device))).toEqual(new Set([DmaFault.BUS_MASTER_OFF]))
  })

  it('comes back after a function level reset', async () => {
    await using machine = await startMachine(vm)
    const { guest, device, address } = machine
    const load = await GuestLoad.start(guest, await findDisk(guest, serial))
    expect(await guest.check(`cat /sys/bus/pci/devices/${address}/reset_method`)).toMatch(/^flr\b/)
    await load.runAmid(`echo flr >/sys/bus/pci/devices/${address}/reset_method
      echo 1 >/sys/bus/pci/devices/${address}/reset`)
    await load.proceeds()
    await load.stop()
    expect(await guest.powerOff()).toMatchObject({ status: 0 })
    expect(await readRecord(device)).toContainEqual(expect.objectContaining({ type: 'reset', cause: 'flr' }))
  })
})

/** Plugs in memory, of which the guest makes no use yet. */
async function plugMemory (guest: Guest): Promise<void> {
  const backend = { 'qom-type': 'memory-backend-memfd', id: 'more', size: moreMemory.byteLength, share: true }
  await guest.qmp.execute('object-add', backend)
  await guest.qmp.execute('device_add', { driver: 'pc-dimm', id: 'dimm0', memdev: 'more' })
}

/** Has the guest use all of its memory; what was not used, only for what can be moved away again. */
async function makeMovable (guest: Guest): Promise<void> {
  await guest.check([
    'until [ "$(awk \'/MemTotal/ { print $2 }\' /proc/meminfo)" -gt 800000 ]; do',
    '  for state in $(grep -lx offline /sys/devices/system/memory/memory*/state); do',
    '    echo online_movable >$state',
    '  done',
    '  sleep 0.1',
    'done'
  ].join('\n'))
}

/** Unplugs what was plugged in. The guest refuses while it cannot move something away, so it is asked again. */
async function unplugMemory (guest: Guest): Promise<void> {
  for (;;) {
    const answered = guest.qmp.waitForEvent('ACPI_DEVICE_OST', timeoutMs, ({ data }) => {
      const { source, status } = data['info'] as { source: number, status: number }
      return source === ejection.source && status !== ejection.inProgress
    })
    await guest.qmp.execute('device_del', { id: 'dimm0' })
    const { data } = await answered
    if ((data['info'] as { status: number }).status === ejection.success) return
  }
}
