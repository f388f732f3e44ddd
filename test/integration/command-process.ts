import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { until } from './testbed.js'
import type { Cleanup } from './testbed.js'

const MAIN = fileURLToPath(new URL('../../packages/cli/dist/main.js', import.meta.url))

/** How a process ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** The built `pcikit` command, running. */
export class CommandProcess {
  readonly #process: ChildProcess
  readonly #exited: Promise<void>
  #stdout = ''
  #stderr = ''

  private constructor (words: readonly string[]) {
    this.#process = spawn(process.execPath, [MAIN, ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process.stdout?.on('data', chunk => {
      this.#stdout += String(chunk)
    })
    this.#process.stderr?.on('data', chunk => {
      this.#stderr += String(chunk)
    })
    this.#exited = once(this.#process, 'close').then(() => undefined)
  }

  /** Starts the command. It is killed at the end of the test, unless it ended by then. */
  static start (cleanup: Cleanup, words: readonly string[]): CommandProcess {
    return cleanup.add(new CommandProcess(words), command => command.#kill())
  }

  /** Starts the command to serve on a socket, and waits until that is there. */
  static async serve (cleanup: Cleanup, path: string, words: readonly string[] = []): Promise<CommandProcess> {
    const command = CommandProcess.start(cleanup, ['run', 'nvme', '--socket', path, ...words])
    await until(() => existsSync(path) || !command.isRunning)
    if (!command.isRunning) throw new Error(`pcikit ended: ${command.stderr}`)
    return command
  }

  get pid (): number {
    return this.#process.pid!
  }

  get isRunning (): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null
  }

  get stderr (): string {
    return this.#stderr
  }

  signal (signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Resolves when the process ended and all of its output is here. */
  async exit (): Promise<Exit> {
    await this.#exited
    const { exitCode, signalCode } = this.#process
    return { code: exitCode, signal: signalCode, stdout: this.#stdout, stderr: this.#stderr }
  }

  async #kill (): Promise<void> {
    if (this.isRunning) this.#process.kill('SIGKILL')
    await this.#exited
  }
}
