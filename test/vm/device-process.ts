// Runs `pcikit run nvme` the way a user does: in a process of its own.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../../packages/cli/dist/main.js', import.meta.url))
const logLength = 4000
const startTimeoutMs = 30_000
const stopTimeoutMs = 20_000

/** A device that runs in a process of its own. */
export interface DeviceProcess extends AsyncDisposable {
  readonly socketPath: string
  /** A folder for the device's files. It is removed at the end. */
  readonly folder: string
  /** Whether the process that was started last is still there. */
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
  #child: ChildProcess | undefined
  #log = ''

  constructor (folder: string, args: readonly string[]) {
    this.folder = folder
    this.socketPath = join(folder, 'nvme.sock')
    this.#args = args
  }

  get isRunning (): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  async start (): Promise<void> {
    const args = [program, 'run', 'nvme', '--socket', this.socketPath, ...this.#args]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text
    })
    const waiting = new AbortController()
    const timer = setTimeout(() => {
      waiting.abort()
    }, startTimeoutMs)
    child.once('close', () => {
      waiting.abort()
    })
    try {
      // The command says how to attach the device once it accepts clients.
      await once(child.stdout, 'data', { signal: waiting.signal })
      child.stdout.resume()
      await access(this.socketPath)
    } catch (cause) {
      child.kill('SIGKILL')
      throw new Error(`The device did not start. Its log:\n${this.#log.slice(-logLength)}`, { cause })
    } finally {
      clearTimeout(timer)
    }
  }

  async stop (): Promise<number | null> {
    const child = this.#child
    if (child === undefined) return null
    this.#child = undefined
    if (child.exitCode === null && child.signalCode === null) {
      const closed = once(child, 'close')
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
      await closed
      clearTimeout(timer)
    }
    if (child.exitCode !== 0) process.stderr.write(`The device's log:\n${this.#log.slice(-logLength)}\n`)
    return child.exitCode
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    await this.stop()
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
