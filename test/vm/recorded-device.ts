// A disk that keeps a record, a machine that uses it, and what the disk's process has of that machine.
import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { RecordEvent } from '@pcikit/core'
import { bootGuest } from '@pcikit/testkit/vm'
import type { Guest, Vm } from '@pcikit/testkit/vm'
import { createDisk, startDevice } from './device-process.js'
import type { DeviceProcess, DiskType } from './device-process.js'
import { findDisk, makeFileSystem } from './disk-scenarios.js'

/** The disk's serial number. */
export const serial = 'PCIKIT0002'
const diskBytes = 256 * 1024 * 1024
/** What QEMU calls the files that are a guest's memory. */
const guestMemory = 'memfd:memory-backend-memfd'

/** Starts a disk that keeps a record. */
export async function startRecordedDevice (
  type: DiskType = 'nvme',
  args: readonly string[] = [],
  serialNumber = serial
): Promise<DeviceProcess> {
  return startDevice({
    type,
    args: folder => [
      ...['--backend', `file:${join(folder, 'disk.img')}`, '--serial', serialNumber],
      ...['--record', join(folder, 'record'), ...args]
    ],
    prepare: async folder => createDisk(join(folder, 'disk.img'), diskBytes)
  })
}

/** Stops a device, and returns what it has recorded: all of it is written then. */
export async function readRecord (device: DeviceProcess): Promise<RecordEvent[]> {
  expect(await device.stop()).toBe(0)
  const lines = await readFile(join(device.folder, 'record'), 'utf8')
  return lines.trim().split('\n').map(line => JSON.parse(line) as RecordEvent)
}

/** How QEMU attaches a device to a root port: the first, unless given. */
export function deviceProperties (device: DeviceProcess, index = 0): Record<string, unknown> {
  const socket = { type: 'unix', path: device.socketPath }
  return { driver: 'vfio-user-pci', id: `disk${index}`, bus: `port${index}`, socket }
}

/** A machine with a disk of ours. */
export interface Machine extends AsyncDisposable {
  readonly device: DeviceProcess
  readonly guest: Guest
  /** The disk's PCI address in the guest. */
  readonly address: string
  /** Of the file in the file system that is on the disk. */
  readonly digest: string
}

/** What a machine is like. */
export interface MachineOptions {
  /** NVMe unless given. */
  readonly type?: DiskType
  readonly kernelArguments?: string
  readonly qemuArguments?: readonly string[]
}

/** Boots a machine whose disk can be unplugged, and makes a file system on it. */
export async function startMachine (vm: Vm, options: MachineOptions = {}): Promise<Machine> {
  const { type = 'nvme', kernelArguments = '', qemuArguments = [] } = options
  // QEMU 11.1 ends with an assertion when any vfio-user device with MSI-X is unplugged.
  const device = await startRecordedDevice(type, ['--msix-vectors', '0'])
  let guest: Guest | undefined
  const end = async (): Promise<void> => {
    await guest?.[Symbol.asyncDispose]()
    await device[Symbol.asyncDispose]()
  }
  try {
    const boot = { kind: 'initramfs', kernelArguments } as const
    guest = await bootGuest(vm, { boot, vfioUserSockets: [device.socketPath], qemuArguments })
    await guest.ready()
    const disk = await findDisk(guest, serial)
    const digest = await makeFileSystem(guest, disk)
    return { device, guest, address: disk.address, digest, [Symbol.asyncDispose]: end }
  } catch (error) {
    await end()
    throw error
  }
}

/** How many KiB a process has touched of each file of guest memory that it maps, by the file's inode. */
export async function touchedMemory (pid: number): Promise<Map<string, number>> {
  const touched = new Map<string, number>()
  let inode: string | undefined
  for (const line of (await readFile(`/proc/${pid}/smaps`, 'utf8')).split('\n')) {
    // A mapping is a line with its range, permissions, offset, device, inode and file, then a line for each figure.
    const words = line.split(/\s+/)
    if (/^[0-9a-f]+-[0-9a-f]+$/.test(words[0]!)) inode = line.includes(guestMemory) ? words[4] : undefined
    if (words[0] === 'Rss:' && inode !== undefined) touched.set(inode, (touched.get(inode) ?? 0) + Number(words[1]))
  }
  return touched
}

/** What the descriptors of a process stand for, a number for each where it has one. */
export async function openDescriptors (pid: number): Promise<string[]> {
  const folder = `/proc/${pid}/fd`
  const names = await Promise.all(
    // One may be closed since.
    (await readdir(folder)).map(async name => readlink(join(folder, name)).catch(() => undefined))
  )
  return names.filter(name => name !== undefined).map(name => name.replace(/\d+/g, 'N')).sort()
}
