// Devices in a process of its own, which can be started again.
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CommandProcess } from '../command-process.js'

const logLength = 4000

/** A process that serves devices. */
export interface DeviceProcess extends AsyncDisposable {
  /** Where a device is that is alone in its process. */
  readonly socketPath: string
  /** A folder for the process' files. It is removed at the end. */
  readonly folder: string
  /** The process that was started last. */
  readonly pid: number
  /** Whether that process is still there. */
  readonly isRunning: boolean
  /** Ends the process with SIGTERM and returns its exit code. */
  stop(): Promise<number | null>
  /** Starts it again with the same arguments. */
  start(): Promise<void>
}

/** A kind of disk. */
export type DiskType = 'nvme' | 'virtio-blk'

/** How a device is started. */
export interface DeviceOptions {
  /** NVMe unless given. */
  readonly type?: DiskType
  /** Arguments after the socket. */
  readonly args: (folder: string) => readonly string[]
  /** Makes what the device needs before it starts. */
  readonly prepare?: (folder: string) => Promise<void>
}

/** A disk among others in one process. */
export interface DiskOptions {
  readonly byteLength: number
  /** Of virtio-blk, but for the back end: that is `NAME.img` in the process' folder. */
  readonly options: Readonly<Record<string, unknown>>
}

class CommandDevice implements DeviceProcess {
  readonly folder: string
  readonly #words: readonly string[]
  #command: CommandProcess | undefined

  constructor (folder: string, words: readonly string[]) {
    this.folder = folder
    this.#words = words
  }

  get socketPath (): string {
    return socketOf(this.folder)
  }

  get pid (): number {
    if (this.#command === undefined) throw new Error('The device was not started.')
    return this.#command.pid
  }

  get isRunning (): boolean {
    return this.#command?.isRunning === true
  }

  async start (): Promise<void> {
    this.#command = await CommandProcess.serve(this.#words)
  }

  async stop (): Promise<number | null> {
    const command = this.#command
    if (command === undefined) return null
    this.#command = undefined
    command.signal('SIGTERM')
    const { code, stderr } = await command.exit()
    if (code !== 0) process.stderr.write(`The device's log:\n${stderr.slice(-logLength)}\n`)
    return code
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    await this.#command?.[Symbol.asyncDispose]()
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** Starts a device on a socket in a new temporary folder. */
export async function startDevice ({ type = 'nvme', args, prepare }: DeviceOptions): Promise<DeviceProcess> {
  return startCommand(folder => ['run', type, '--socket', socketOf(folder), ...args(folder)], prepare)
}

/** Starts virtio block devices in one process. Each has its socket, `NAME.sock`, in the process' folder. */
export async function startDisks (disks: Readonly<Record<string, DiskOptions>>): Promise<DeviceProcess> {
  const devices: Record<string, unknown> = {}
  for (const [name, { options }] of Object.entries(disks)) {
    devices[name] = { type: 'virtio-blk', options: { backend: `file:${name}.img`, ...options } }
  }
  return startDevices({ devices }, async folder => {
    for (const [name, { byteLength }] of Object.entries(disks)) {
      await createDisk(join(folder, `${name}.img`), byteLength)
    }
  })
}

/** Starts what a file for `pcikit serve` says. Its paths, and the sockets, are in the process' folder. */
export async function startDevices (
  config: object,
  prepare?: (folder: string) => Promise<void>
): Promise<DeviceProcess> {
  return startCommand(folder => ['serve', join(folder, 'devices.yaml')], async folder => {
    await prepare?.(folder)
    // JSON is YAML.
    await writeFile(join(folder, 'devices.yaml'), JSON.stringify(config))
  })
}

/** Makes a file of zeroes that takes no space. */
export async function createDisk (path: string, byteLength: number): Promise<void> {
  await writeFile(path, '')
  await truncate(path, byteLength)
}

function socketOf (folder: string): string {
  return join(folder, 'device.sock')
}

async function startCommand (
  words: (folder: string) => readonly string[],
  prepare?: (folder: string) => Promise<void>
): Promise<DeviceProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'pcikit-device-'))
  const device = new CommandDevice(folder, words(folder))
  try {
    await prepare?.(folder)
    await device.start()
    return device
  } catch (error) {
    await device[Symbol.asyncDispose]()
    throw error
  }
}
