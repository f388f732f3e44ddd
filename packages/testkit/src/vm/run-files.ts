import { appendFile, copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BootOptions, InitramfsBoot } from './boot-options.js'
import { createCpio } from './cpio.js'
import type { RunFiles } from './qemu-arguments.js'
import type { Vm } from './vm.js'

function extraFiles ({ script, files = [] }: InitramfsBoot): Uint8Array | undefined {
  const all = [...files, ...script === undefined ? [] : [{ path: 'pcikit/script', data: script }]]
  return all.length === 0 ? undefined : createCpio(all)
}

/** Makes the files of one run in a temporary folder; the caller removes the folder. */
export async function prepareRun (vm: Vm, options: BootOptions): Promise<RunFiles & { readonly folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'pcikit-vm-'))
  try {
    let initramfs = vm.guest.initramfs
    const extra = options.boot?.kind === 'firmware' ? undefined : extraFiles(options.boot ?? { kind: 'initramfs' })
    if (extra !== undefined) {
      initramfs = join(folder, 'initramfs.cpio')
      await copyFile(vm.guest.initramfs, initramfs)
      await appendFile(initramfs, extra)
    }
    const ovmfVariables = join(folder, 'variables.fd')
    if (options.boot?.kind === 'firmware' && options.boot.firmware === 'ovmf') {
      await copyFile(vm.qemu.ovmfVariables, ovmfVariables)
    }
    return {
      folder,
      qmpSocket: join(folder, 'qmp'),
      agentSocket: join(folder, 'agent'),
      consoleSocket: join(folder, 'console'),
      kernel: vm.guest.kernel,
      initramfs,
      ovmfCode: vm.qemu.ovmfCode,
      ovmfVariables
    }
  } catch (error) {
    await rm(folder, { recursive: true })
    throw error
  }
}
