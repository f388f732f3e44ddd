import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Vm } from '@pcikit/testkit/vm'
import { atExit } from '../processes/at-exit.js'
import { DeviceProcess } from '../processes/device-process.js'
import type { DeviceType } from '../processes/device-process.js'
import type { Storage } from '../suite-options.js'

const MIB = 1024 * 1024
export const DISK_MIB = 256
/** Where files are in memory, and where they are on a disk, through the page cache. */
const FOLDERS: Readonly<Record<Storage, string>> = { memory: '/dev/shm', file: '/var/tmp', null: '/dev/shm' }

/** A disk of the guest, by what serves it. */
export interface Contestant {
  readonly name: string
  /** By which the guest tells it apart. The storage daemon has none to give. */
  readonly serial: string
  /** What QEMU is told. */
  readonly qemuArguments: readonly string[]
  /** Where QEMU connects to, when it is a vfio-user device. */
  readonly socket?: string
  /** The process that serves it, when that is not QEMU. */
  readonly pid?: number
}

export const QEMU_NVME = 'QEMU nvme'
export const QEMU_VIRTIO = 'QEMU virtio-blk, iothread'
export const STORAGE_DAEMON = 'QEMU storage daemon, vhost-user-blk'
export const NVME_TRAP = 'pcikit nvme, trap'
export const NVME_MMAP = 'pcikit nvme, mmap'
export const VIRTIO_TRAP = 'pcikit virtio-blk, trap'
export const VIRTIO_MMAP = 'pcikit virtio-blk, mmap'

/** All disks of a guest, on files of the same kind, and the processes that serve them. */
export class Contestants implements AsyncDisposable {
  readonly list: Contestant[] = []
  readonly #folder: string
  readonly #storage: Storage
  readonly #devices: DeviceProcess[] = []
  readonly #daemons: ChildProcess[] = []
  readonly #forget: () => void

  private constructor (folder: string, storage: Storage) {
    this.#folder = folder
    this.#storage = storage
    this.#forget = atExit(() => {
      for (const daemon of this.#daemons) daemon.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    })
  }

  static async start (vm: Vm, storage: Storage, cpus: number): Promise<Contestants> {
    const all = new Contestants(mkdtempSync(join(FOLDERS[storage], 'pcikit-bench-')), storage)
    all.#addNvme()
    all.#addVirtio()
    if (vm.qemu.storageDaemon !== undefined) await all.#addStorageDaemon(vm.qemu.storageDaemon, vm.qemu.env, cpus)
    await all.#addPcikit(NVME_TRAP, 'nvme', 'trap')
    await all.#addPcikit(NVME_MMAP, 'nvme', 'mmap')
    await all.#addPcikit(VIRTIO_TRAP, 'virtio-blk', 'trap', ['--queues', String(cpus)])
    await all.#addPcikit(VIRTIO_MMAP, 'virtio-blk', 'mmap', ['--queues', String(cpus)])
    return all
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    for (const device of this.#devices) await device[Symbol.asyncDispose]()
    for (const daemon of this.#daemons) {
      if (daemon.exitCode !== null) continue
      daemon.kill('SIGTERM')
      await once(daemon, 'close')
    }
    this.#forget()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #addNvme (): void {
    const serial = 'QEMUNVME'
    const qemuArguments = ['-blockdev', this.#blockdev('nvme'), '-device', `nvme,drive=nvme,serial=${serial}`]
    this.list.push({ name: QEMU_NVME, serial, qemuArguments })
  }

  #addVirtio (): void {
    const serial = 'QEMUVIRTIO'
    const device = `virtio-blk-pci,drive=virtio,iothread=virtio-thread,serial=${serial}`
    const thread = ['-object', 'iothread,id=virtio-thread']
    this.list.push({
      name: QEMU_VIRTIO,
      serial,
      qemuArguments: [...thread, '-blockdev', this.#blockdev('virtio'), '-device', device]
    })
  }

  async #addStorageDaemon (
    command: readonly string[],
    env: Readonly<Record<string, string>>,
    cpus: number
  ): Promise<void> {
    const socket = join(this.#folder, 'vhost-user.sock')
    const [program = '', ...words] = [
      ...command,
      ...['--blockdev', this.#blockdev('daemon')],
      '--export',
      `type=vhost-user-blk,id=export,node-name=daemon,addr.type=unix,addr.path=${socket},writable=on,num-queues=${cpus}`
    ]
    const daemon = spawn(program, words, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env } })
    this.#daemons.push(daemon)
    while (!existsSync(socket) && daemon.exitCode === null) await delay(20)
    const device = `vhost-user-blk-pci,chardev=vhost-user,num-queues=${cpus}`
    const qemuArguments = ['-chardev', `socket,id=vhost-user,path=${socket}`, '-device', device]
    this.list.push({ name: STORAGE_DAEMON, serial: '', qemuArguments, pid: daemon.pid! })
  }

  async #addPcikit (name: string, type: DeviceType, mode: string, more: readonly string[] = []): Promise<void> {
    // Virtio has room for 20 characters.
    const serial = `pcikit-${type.slice(0, 6)}-${mode}`
    const backend = this.#storage === 'null' ? `null:${DISK_MIB}MiB` : `file:${this.#disk(`pcikit-${type}-${mode}`)}`
    const words = ['--backend', backend, '--serial', serial, '--doorbells', mode, ...more]
    const device = await DeviceProcess.run(type, words)
    this.#devices.push(device)
    this.list.push({ name, serial, qemuArguments: [], socket: device.socket, pid: device.pid })
  }

  #blockdev (name: string): string {
    if (this.#storage === 'null') return `driver=null-co,size=${DISK_MIB * MIB},read-zeroes=on,node-name=${name}`
    return `driver=file,filename=${this.#disk(name)},node-name=${name}`
  }

  /** A file that was written everywhere, to the disk too. */
  #disk (name: string): string {
    const path = join(this.#folder, `${name}.img`)
    const file = openSync(path, 'w')
    const part = new Uint8Array(MIB).fill(7)
    for (let index = 0; index < DISK_MIB; index++) writeSync(file, part)
    // Writing it back later would take the processor from whoever is measured then.
    fsyncSync(file)
    closeSync(file)
    return path
  }
}
