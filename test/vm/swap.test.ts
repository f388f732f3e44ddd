// The code of our NVMe controller is exchanged under a Debian kernel that has a file system on it.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import block from '@pcikit/block'
import { createHost } from '@pcikit/core/host'
import nvme from '@pcikit/device-nvme'
import dma from '@pcikit/dma'
import { bootGuest, ensureVm } from '@pcikit/testkit/vm'
import socket from '@pcikit/transport-socket'
import { afterAll, describe, expect, it } from 'vitest'
import { createDisk } from './device-process.js'
import { checkFileSystem, findDisk, makeFileSystem } from './disk-scenarios.js'
import { GuestLoad } from './guest-load.js'

const vm = await ensureVm()
const serial = 'PCIKIT0003'
const diskBytes = 256 * 1024 * 1024
const rounds = 20
const folder = await mkdtemp(join(tmpdir(), 'pcikit-swap-'))

afterAll(() => rm(folder, { recursive: true, force: true }))

describe('an NVMe controller under load', () => {
  it(`goes on with new code, ${rounds} times, and its driver does not notice`, async () => {
    const [file, path] = [join(folder, 'disk.img'), join(folder, 'nvme.sock')]
    await createDisk(file, diskBytes)
    await using host = createHost({ plugins: [socket, dma, block, nvme] })
    const device = await host.createDevice({
      type: 'nvme',
      options: { backends: [`file:${file}`], serial },
      transport: { type: 'socket', options: { path } },
      swappable: true
    })
    await using guest = await bootGuest(vm, { vfioUserSockets: [path] })
    await guest.ready()
    const disk = await findDisk(guest, serial)
    const digest = await makeFileSystem(guest, disk)
    const before = await guest.check('dmesg | grep -c nvme')
    const load = await GuestLoad.start(guest, disk)
    for (let round = 0; round < rounds; round++) {
      expect(await device.swap(nvme)).toMatchObject({ state: 'carried' })
      await load.proceeds()
    }
    await load.stop()
    expect(await guest.check('dmesg | grep -c nvme')).toBe(before)
    await checkFileSystem(guest, disk, digest)
    expect(await guest.powerOff()).toMatchObject({ status: 0 })
  })
})
