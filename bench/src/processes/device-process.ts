import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CONTROLLER_SOCKET } from '@pcikit/testkit'
import { onCore } from '../measure/processor.js'
import { atExit } from './at-exit.js'

/** The command as it is published. */
const PCIKIT = fileURLToPath(new URL('../../../packages/cli/dist/pcikit.js', import.meta.url))
/** The command in its many files, whose names say where in the sources something happens. */
export const PCIKIT_IN_FILES = fileURLToPath(new URL('../../../packages/cli/dist/main.js', import.meta.url))

/** What `--trace-gc` prints. */
const ENGINE_OUTPUT = /^\[\d+:/

/** The devices that are measured, as the command calls them. */
export const DEVICE_TYPES = ['nvme', 'virtio-blk'] as const
export type DeviceType = (typeof DEVICE_TYPES)[number]

/** How a device is started. */
export interface DeviceProcessOptions {
  /** A program in place of the command; it prints something when it serves. */
  readonly program?: string
  /** The words after the program. `{socket}` stands for the path of the socket. */
  readonly words: readonly string[]
  /** Options of Node. `{folder}` stands for the folder of the socket. */
  readonly nodeOptions?: readonly string[]
  readonly core?: number | undefined
  /** Where the folder of the socket is made. */
  readonly folder?: string
}

/** A program that serves a device, in a process and a folder of its own. */
export class DeviceProcess implements AsyncDisposable {
  /** The folder that has the socket under the name that a polling initiator looks for. */
  readonly folder: string
  readonly #process: ChildProcess
  readonly #closed: Promise<unknown>
  readonly #forget: () => void
  #output = ''

  private constructor (options: DeviceProcessOptions) {
    this.folder = mkdtempSync(join(options.folder ?? '/tmp', 'pcikit-bench-'))
    const words = options.words.map(word => word.replace('{socket}', this.socket))
    const [program = '', ...parameters] = [
      ...onCore(options.core),
      process.execPath,
      ...(options.nodeOptions ?? []).map(word => word.replace('{folder}', this.folder)),
      options.program ?? PCIKIT,
      ...words
    ]
    this.#process = spawn(program, parameters, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#process.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text
    })
    this.#closed = once(this.#process, 'close')
    this.#forget = atExit(() => {
      this.#process.kill('SIGKILL')
      rmSync(this.folder, { recursive: true, force: true })
    })
  }

  /** Starts the program and waits until it serves. */
  static async serve (options: DeviceProcessOptions): Promise<DeviceProcess> {
    const device = new DeviceProcess(options)
    if (await Promise.race([device.#greeting(), device.#closed.then(() => false)])) return device
    await device[Symbol.asyncDispose]()
    throw new Error('The device did not start. What it said is above.')
  }

  /** `pcikit run` with more words. */
  static async run (
    type: DeviceType,
    words: readonly string[],
    options: Partial<DeviceProcessOptions> = {}
  ): Promise<DeviceProcess> {
    const all = ['run', type, '--socket', '{socket}', '--log-level', 'error', ...words]
    return DeviceProcess.serve({ ...options, words: all })
  }

  get socket (): string {
    return join(this.folder, CONTROLLER_SOCKET)
  }

  get pid (): number {
    return this.#process.pid!
  }

  /** What it wrote on its standard output. */
  get output (): string {
    return this.#output
  }

  /** Asks it to end and waits until it has. */
  async end (): Promise<void> {
    if (this.#process.exitCode === null) this.#process.kill('SIGTERM')
    await this.#closed
  }

  /** It says how to attach the device once it accepts clients. The engine may say something before. */
  #greeting (): Promise<boolean> {
    return new Promise(resolve => {
      this.#process.stdout!.on('data', () => {
        if (this.#output.split('\n').some(line => line !== '' && !ENGINE_OUTPUT.test(line))) resolve(true)
      })
    })
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 10_000)
    await this.end()
    clearTimeout(timer)
    this.#forget()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
