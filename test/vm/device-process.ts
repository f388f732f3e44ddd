// A device in a process of its own, which can be started again.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CommandProcess } from '../command-process.js'

const logLength = 4000

/** A device that runs in a process of its own. */
export interface DeviceProcess extends AsyncDisposable {
  readonly socketPath: string
  /** A folder for the device's files. It is removed at the end. */
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

/** How a device is started. */
export interface DeviceOptions {
  /** Arguments after the socket. */
  readonly args: (folder: string) => readonly string[]
  /** Makes what the device needs before it starts. */
  readonly prepare?: (folder: string) => Promise<void>
}

class NvmeProcess implements DeviceProcess {
  readonly socketPath: string
  readonly folder: string
  readonly #args: readonly string[]
  #command: CommandProcess | undefined

  constructor (folder: string, args: readonly string[]) {
    this.folder = folder
    this.socketPath = join(folder, 'nvme.sock')
    this.#args = args
  }

  get pid (): number {
    if (this.#command === undefined) throw new Error('The device was not started.')
    return this.#command.pid
  }

  get isRunning (): boolean {
    return this.#command?.isRunning === true
  }

  async start (): Promise<void> {
    this.#command = await CommandProcess.serve(this.socketPath, this.#args)
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

/** Starts an NVMe controller on a socket in a new temporary folder. */
export async function startDevice (options: DeviceOptions): Promise<DeviceProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'pcikit-device-'))
  const device = new NvmeProcess(folder, options.args(folder))
  try {
    await options.prepare?.(folder)
    await device.start()
    return device
  } catch (error) {
    await device[Symbol.asyncDispose]()
    throw error
  }
}
