// Debian boots from our disks, through both firmwares, again and again.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bootGuest, ensureVm } from '@pcikit/testkit/vm'
import type { Guest } from '@pcikit/testkit/vm'
import { startDevice } from './device-process.js'
import type { DeviceProcess } from './device-process.js'

const vm = await ensureVm()

const disks = [
  { disk: 'an NVMe controller', type: 'nvme', path: '/dev/nvme', rounds: ['1', '2'] },
  { disk: 'a virtio block device', type: 'virtio-blk', path: '/dev/vd', rounds: ['1'] }
] as const

describe.each(disks)('a Debian disk on $disk', ({ type, path, rounds }) => {
  let device: DeviceProcess

  beforeAll(async () => {
    device = await startDevice({
      type,
      args: folder => ['--backend', `file:${join(folder, 'disk.img')}`],
      prepare: async folder => {
        await promisify(execFile)('cp', ['--sparse=always', vm.guest.disk, join(folder, 'disk.img')])
      }
    })
  })

  afterAll(async () => {
    await device[Symbol.asyncDispose]()
  })

  async function reachLogin (guest: Guest, loader: 'pc' | 'efi'): Promise<void> {
    await guest.waitFor(`boot loader on ${loader}`)
    await guest.waitFor(`root is on ${path}`)
    await guest.waitFor('pcikit login:')
    await guest.ready()
    expect(await guest.check('. /etc/os-release; echo $ID')).toBe('debian\n')
  }

  it('boots through SeaBIOS, and after reboots from inside and from outside', async () => {
    await using guest = await bootGuest(vm, {
      boot: { kind: 'firmware', firmware: 'seabios' },
      vfioUserSockets: [device.socketPath]
    })
    await reachLogin(guest, 'pc')
    for (const round of rounds) {
      await guest.check(`echo ${round} >/root/round; sync`)
      await guest.reboot()
      await reachLogin(guest, 'pc')
      expect(await guest.check('cat /root/round')).toBe(`${round}\n`)
      await guest.systemReset()
      await reachLogin(guest, 'pc')
    }
    expect(await guest.powerOff()).toMatchObject({ status: 0 })
    expect(device.isRunning).toBe(true)
  })

  it('boots through UEFI', async () => {
    await using guest = await bootGuest(vm, {
      boot: { kind: 'firmware', firmware: 'ovmf' },
      vfioUserSockets: [device.socketPath]
    })
    await reachLogin(guest, 'efi')
    expect(await guest.check('cat /root/round')).toBe(`${rounds.at(-1)}\n`)
  })
})
