// A disk is taken from a Debian kernel that uses it, or the whole machine is gone.
import { describe, expect, it } from 'vitest'
import type { RecordEvent } from '@pcikit/core'
import { bootGuest, ensureVm } from '@pcikit/testkit/vm'
import type { Guest } from '@pcikit/testkit/vm'
import { checkFileSystem, findDisk, makeFileSystem, verifyWithFio, waitForDisk } from './disk-scenarios.js'
import { GuestLoad } from './guest-load.js'
import {
  deviceProperties,
  openDescriptors,
  readRecord,
  serial,
  startMachine,
  startRecordedDevice,
  touchedMemory
} from './recorded-device.js'
import type { Machine } from './recorded-device.js'

const vm = await ensureVm()
const timeoutMs = 120_000
const disks = [
  { disk: 'an NVMe controller', type: 'nvme', rounds: 10, machines: 3 },
  { disk: 'a virtio block device', type: 'virtio-blk', rounds: 5, machines: 1 }
] as const

/** Settles once QEMU has let go of the disk. */
async function isDeleted (guest: Guest): Promise<void> {
  await guest.qmp.waitForEvent('DEVICE_DELETED', timeoutMs, ({ data }) => data['device'] === 'disk0')
}

/** Plugs the disk in again, and waits until the guest has found it. */
async function plugAgain ({ guest, device }: Machine): Promise<void> {
  await guest.qmp.execute('device_add', deviceProperties(device))
  await waitForDisk(guest, serial)
}

/** Checks that the disk works, that what was on it still is, and how many clients it has had. */
async function checkAll (
  { guest, device, digest }: Pick<Machine, 'guest' | 'device' | 'digest'>,
  clientCount: number
): Promise<RecordEvent[]> {
  const disk = await findDisk(guest, serial)
  await checkFileSystem(guest, disk, digest)
  await verifyWithFio(guest, disk, 1)
  expect(await guest.powerOff()).toMatchObject({ status: 0 })
  const events = await readRecord(device)
  expect(events.filter(event => event.type === 'client' && event.connected)).toHaveLength(clientCount)
  return events
}

describe.each(disks)('$disk under load', ({ type, rounds, machines }) => {
  it(`is unplugged and plugged again, ${rounds} times`, async () => {
    await using machine = await startMachine(vm, { type })
    const { guest } = machine
    for (let round = 0; round < rounds; round++) {
      const load = await GuestLoad.start(guest, await findDisk(guest, serial))
      const deleted = isDeleted(guest)
      await guest.qmp.execute('device_del', { id: 'disk0' })
      await deleted
      expect(await load.end()).not.toBe(0)
      await plugAgain(machine)
    }
    // Its driver has stopped it each time before it was gone.
    const events = await checkAll(machine, rounds + 1)
    expect(events.filter(event => event.type === 'fault')).toEqual([])
  })

  it('keeps nothing of a machine that is killed, and serves the next one', async () => {
    await using device = await startRecordedDevice(type)
    const before = await openDescriptors(device.pid)
    let digest: string | undefined
    for (let round = 0; round < machines; round++) {
      await using guest = await bootGuest(vm, { vfioUserSockets: [device.socketPath] })
      await guest.ready()
      const disk = await findDisk(guest, serial)
      if (digest !== undefined) await checkFileSystem(guest, disk, digest)
      digest ??= await makeFileSystem(guest, disk)
      await GuestLoad.start(guest, disk)
      expect((await touchedMemory(device.pid)).size).toBeGreaterThan(0)
      expect(await guest.kill()).toMatchObject({ signal: 'SIGKILL' })
      await expect.poll(async () => touchedMemory(device.pid), { timeout: timeoutMs }).toEqual(new Map())
      await expect.poll(async () => openDescriptors(device.pid), { timeout: timeoutMs }).toEqual(before)
    }
    await using guest = await bootGuest(vm, { vfioUserSockets: [device.socketPath] })
    await guest.ready()
    await checkAll({ guest, device, digest: digest ?? '' }, machines + 1)
  })
})

// Linux waits for ever for what a virtio block device that is gone has not answered.
describe('an NVMe controller under load', () => {
  it('is torn out, with no word to the driver, and plugged in again', async () => {
    // QEMU asks the guest before it unplugs anything. With its own hot-plugging, though, a root port takes away at once
    // what is in a slot that is powered off, whoever does that.
    const native = ['-global', 'ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off']
    await using machine = await startMachine(vm, { qemuArguments: native })
    const { guest, device, address } = machine
    const load = await GuestLoad.start(guest, await findDisk(guest, serial))
    const port = (await guest.check(`basename $(dirname $(readlink -f /sys/bus/pci/devices/${address}))`)).trim()
    const deleted = isDeleted(guest)
    // Slot Control: power and its indicator off.
    await load.runAmid(`setpci -s ${port} CAP_EXP+18.w=0700:0700`)
    await deleted
    await expect.poll(async () => touchedMemory(device.pid), { timeout: timeoutMs }).toEqual(new Map())
    // The kernel finds a slot without power and without a card, and takes it that whoever did that knows.
    await guest.check(`echo 1 >/sys/bus/pci/devices/${address}/remove`)
    expect(await load.end()).not.toBe(0)
    await plugAgain(machine)
    await checkAll(machine, 2)
  })
})
