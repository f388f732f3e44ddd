// A Debian kernel and our NVMe controller: one device process that several machines use one after another.
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bootGuest, ensureVm } from '@pcikit/testkit/vm'
import type { Guest } from '@pcikit/testkit/vm'
import { createDisk, startDevice } from './device-process.js'
import type { DeviceProcess } from './device-process.js'
import {
  checkFileSystem,
  findDisk,
  makeFileSystem,
  queueInterrupts,
  readIdentity,
  verifyWithFio
} from './disk-scenarios.js'

const vm = await ensureVm()
const serial = 'PCIKIT0001'
const diskBytes = 256 * 1024 * 1024

async function boot (device: DeviceProcess, cpus: number): Promise<Guest> {
  const guest = await bootGuest(vm, { vfioUserSockets: [device.socketPath], cpus })
  await guest.ready()
  return guest
}

describe('an NVMe controller with a file', () => {
  let device: DeviceProcess
  let digest: string

  beforeAll(async () => {
    device = await startDevice({
      args: folder => ['--backend', `file:${join(folder, 'disk.img')}`, '--serial', serial],
      prepare: async folder => createDisk(join(folder, 'disk.img'), diskBytes)
    })
  })

  afterAll(async () => {
    await device[Symbol.asyncDispose]()
  })

  it('serves a machine with one processor', async () => {
    await using guest = await boot(device, 1)
    const disk = await findDisk(guest, serial)
    expect(await guest.check(`cat /sys/block/${disk.path.slice(5)}/size`)).toContain(String(diskBytes / 512))

    const { controller, health, list } = await readIdentity(guest, disk)
    expect(controller).toMatchObject({ sn: serial.padEnd(20), mn: 'pcikit NVMe Controller'.padEnd(40) })
    expect(health).toMatchObject({ critical_warning: 0, media_errors: 0 })
    expect(list).toContain(serial)

    await verifyWithFio(guest, disk, 1)
    digest = await makeFileSystem(guest, disk)
    await checkFileSystem(guest, disk, digest)
  })

  it('serves the next machine, with two processors, from the same process', async () => {
    await using guest = await boot(device, 2)
    const disk = await findDisk(guest, serial)
    await checkFileSystem(guest, disk, digest)

    const before = await queueInterrupts(guest, disk)
    expect(before).toHaveLength(2)
    await verifyWithFio(guest, disk, 2)
    const after = await queueInterrupts(guest, disk)
    for (const [index, count] of after.entries()) expect(count).toBeGreaterThan(before[index] ?? count)
    // fio wrote over the file system.
    digest = await makeFileSystem(guest, disk)
    expect(await guest.powerOff()).toMatchObject({ status: 0 })
  })

  it('still has the data after the process was stopped and started', async () => {
    expect(await device.stop()).toBe(0)
    await device.start()
    await using guest = await boot(device, 1)
    await checkFileSystem(guest, await findDisk(guest, serial), digest)
  })
})
