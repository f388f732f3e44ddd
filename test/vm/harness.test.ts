// Proves the harness with QEMU's own NVMe controller, so that a failure elsewhere is not the harness'.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bootGuest, ensureVm } from '@pcikit/testkit/vm'
import type { Guest } from '@pcikit/testkit/vm'
import { createDisk } from './device-process.js'
import { checkFileSystem, findDisk, makeFileSystem, readIdentity, verifyWithFio } from './disk-scenarios.js'

const vm = await ensureVm()
const serial = 'harness'

/** QEMU's own NVMe controller behind a root port. */
function builtInNvme (file: string, options = ''): string[] {
  return [
    ...['-device', 'pcie-root-port,id=builtin-port,chassis=9'],
    ...['-drive', `if=none,id=builtin,format=raw,file=${file}${options}`],
    ...['-device', `nvme,serial=${serial},drive=builtin,bus=builtin-port`]
  ]
}

describe('the small guest', () => {
  let folder: string
  let guest: Guest

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pcikit-harness-'))
    const disk = join(folder, 'disk.img')
    await createDisk(disk, 256 * 1024 * 1024)
    guest = await bootGuest(vm, { qemuArguments: builtInNvme(disk) })
    await guest.ready()
  })

  afterAll(async () => {
    await guest[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  })

  it('runs commands and tells what the console said when one fails', async () => {
    expect(await guest.run('echo one; false')).toEqual({ output: 'one\n', status: 1 })
    await expect(guest.check('echo trouble; exit 9')).rejects.toThrow(
      /status 9 and wrote:\ntrouble[^]*Some things to try/
    )
  })

  it('uses a disk, and comes up again after a reset and a reboot', async () => {
    const found = await findDisk(guest, serial)
    await verifyWithFio(guest, found, 1)
    expect((await readIdentity(guest, found)).controller['sn']).toContain(serial)
    const digest = await makeFileSystem(guest, found)

    await guest.systemReset()
    await guest.ready()
    await checkFileSystem(guest, await findDisk(guest, serial), digest)

    await guest.reboot()
    await guest.ready()
    expect(await guest.powerOff()).toMatchObject({ status: 0, signal: null })
  })

  it('runs a script that came with it and ends', async () => {
    const files = [{ path: 'pcikit/answer', data: 'forty-two\n' }]
    const script = 'cat /pcikit/answer; exit 3'
    await using scripted = await bootGuest(vm, { boot: { kind: 'initramfs', script, files } })
    await scripted.waitFor(/script begin\r?\nforty-two\r?\n\r?\n@@pcikit script end 3/)
    expect(await scripted.exited).toMatchObject({ status: 0 })
  })
})

describe('the Debian disk', () => {
  it.each(['seabios', 'ovmf'] as const)('boots through %s', async firmware => {
    const qemuArguments = builtInNvme(vm.guest.disk, ',snapshot=on')
    await using guest = await bootGuest(vm, { boot: { kind: 'firmware', firmware }, qemuArguments })
    await guest.waitFor(firmware === 'seabios' ? 'boot loader on pc' : 'boot loader on efi')
    await guest.waitFor('root is on /dev/nvme')
    await guest.waitFor('pcikit login:')
    await guest.ready()
    expect(await guest.check('cat /etc/debian_version')).toMatch(/^13/)
  })
})
