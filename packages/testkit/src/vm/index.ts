/**
 * Virtual machines for tests: sets up QEMU and small Debian guests, boots them, and runs commands in them.
 *
 * @example
 * ```ts
 * import { bootGuest, ensureVm } from '@pcikit/testkit/vm'
 *
 * const vm = await ensureVm({ log: message => { process.stderr.write(`${message}\n`) } })
 * await using guest = await bootGuest(vm, { vfioUserSockets: ['/tmp/nvme.sock'] })
 * await guest.ready()
 * process.stdout.write(await guest.check('nvme list'))
 * ```
 *
 * @packageDocumentation
 */
export { bootGuest } from './boot-guest.js'
export type { Accelerator, BootOptions, FirmwareBoot, InitramfsBoot } from './boot-options.js'
export type { ArchiveFile } from './cpio.js'
export { Guest } from './guest.js'
export type { Exit, GuestParts } from './guest.js'
export type { CommandResult } from './guest-agent.js'
export { QmpClient } from './qmp.js'
export type { QmpEvent } from './qmp.js'
export { ensureVm } from './vm.js'
export type { EnsureVmOptions, GuestFiles, Qemu, Vm } from './vm.js'
