import { access, constants, readFile, writeFile } from 'node:fs/promises'
import { cpus, release } from 'node:os'
import { join } from 'node:path'
import type { Accelerator } from './boot-options.js'
import { bootGuest } from './boot-guest.js'
import { setUpVm } from './setup/set-up.mjs'

/** How QEMU is run on this machine. */
export interface Qemu {
  /** The program, and arguments that always come first. */
  readonly command: readonly string[]
  /** Added to the environment. */
  readonly env: Readonly<Record<string, string>>
  /** Such as `11.1.3`. */
  readonly version: string
  /** UEFI firmware, only read. */
  readonly ovmfCode: string
  /** UEFI variables as they are when new: a template to copy. */
  readonly ovmfVariables: string
  /** How to run `qemu-storage-daemon`, where there is one. */
  readonly storageDaemon?: readonly string[]
}

/** What guests boot. */
export interface GuestFiles {
  readonly kernel: string
  /** Not compressed; another archive may follow it. */
  readonly initramfs: string
  /** A raw disk image that boots Debian through SeaBIOS and UEFI: a template to copy, or to use with a snapshot. */
  readonly disk: string
}

/** A machine's means to run virtual machines. */
export interface Vm {
  readonly qemu: Qemu
  readonly guest: GuestFiles
  readonly accelerator: Accelerator
}

/** Where progress of a set-up goes, and where it is kept. */
export interface EnsureVmOptions {
  /** A folder; `PCIKIT_VM_CACHE`, or `pcikit/vm` in the user's cache, unless told. */
  readonly cache?: string
  /** Told what is done, when something has to be. */
  readonly log?: (message: string) => void
}

const probeTimeoutMs = 30_000

/**
 * Sets up QEMU, firmware and guests where they are not there yet, and finds out once whether KVM boots the guest.
 * `PCIKIT_VM_ACCELERATOR`, `kvm` or `tcg`, overrides what is found.
 *
 * @throws When this machine cannot be set up; the message says what to install.
 */
export async function ensureVm (options: EnsureVmOptions = {}): Promise<Vm> {
  const { qemu, guest, cache } = await setUpVm(options)
  const chosen = process.env['PCIKIT_VM_ACCELERATOR']
  if (chosen === 'kvm' || chosen === 'tcg') return { qemu, guest, accelerator: chosen }
  const kvm = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(() => true, () => false)
  if (!kvm) return { qemu, guest, accelerator: 'tcg' }

  const record = join(cache, 'accelerator.json')
  const machine = JSON.stringify([release(), cpus()[0]?.model, qemu.version])
  const known = await readFile(record, 'utf8').then(parseRecord, () => undefined)
  if (known?.machine === machine) return { qemu, guest, accelerator: known.accelerator }
  options.log?.('Finding out whether KVM boots a guest here.')
  const accelerator = await bootsWithKvm({ qemu, guest, accelerator: 'kvm' }) ? 'kvm' : 'tcg'
  // A cache that belongs to someone else is only read: then every process finds out for itself.
  await writeFile(record, JSON.stringify({ machine, accelerator })).catch(() => undefined)
  return { qemu, guest, accelerator }
}

function parseRecord (text: string): { readonly machine: string, readonly accelerator: Accelerator } {
  return JSON.parse(text) as { machine: string, accelerator: Accelerator }
}

async function bootsWithKvm (vm: Vm): Promise<boolean> {
  try {
    await using guest = await bootGuest(vm)
    await guest.ready(probeTimeoutMs)
    return true
  } catch {
    return false
  }
}
