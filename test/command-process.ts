// Runs the built `pcikit` command the way a user does: in a process of its own.
import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../packages/cli/dist/pcikit.js', import.meta.url))
/** Only ends what hangs. */
const START_TIMEOUT_MS = 60_000
/** Likewise. */
const STOP_TIMEOUT_MS = 10_000

/** How a process ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** The built `pcikit` command, running. Dispose of it: it is ended then as a user ends it, and killed if it stays. */
export class CommandProcess implements AsyncDisposable {
  readonly #process: ChildProcessByStdio<null, Readable, Readable>
  readonly #exited: Promise<unknown>
  readonly #closed: Promise<unknown>
  #stdout = ''
  #stderr = ''

  private constructor (words: readonly string[], nodeOptions: readonly string[] = []) {
    this.#process = spawn(process.execPath, [...nodeOptions, MAIN, ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text
    })
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    this.#exited = once(this.#process, 'exit')
    this.#closed = once(this.#process, 'close')
  }

  /** Starts the command. */
  static start (words: readonly string[]): CommandProcess {
    return new CommandProcess(words)
  }

  /**
   * Starts the command to serve devices, and waits until it accepts clients.
   *
   * @throws When it ends before, or does not in time; the message has what it logged.
   */
  static async serve (words: readonly string[], nodeOptions: readonly string[] = []): Promise<CommandProcess> {
    const command = new CommandProcess(words, nodeOptions)
    // It says how to attach the devices once it accepts clients.
    const serving = once(command.#process.stdout, 'data', { signal: AbortSignal.timeout(START_TIMEOUT_MS) })
    const isServing = await Promise.race([serving.then(() => true, () => false), command.#closed.then(() => false)])
    if (isServing) return command
    await command[Symbol.asyncDispose]()
    throw new Error(`pcikit did not start. It said:\n${command.stderr}`)
  }

  get pid (): number {
    return this.#process.pid!
  }

  get isRunning (): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null
  }

  get stdout (): string {
    return this.#stdout
  }

  get stderr (): string {
    return this.#stderr
  }

  signal (signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Resolves when the process ended and all of its output is here. */
  async exit (): Promise<Exit> {
    await this.#closed
    const { exitCode, signalCode } = this.#process
    return { code: exitCode, signal: signalCode, stdout: this.#stdout, stderr: this.#stderr }
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    this.#process.kill('SIGTERM')
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_TIMEOUT_MS)
    // Not until its output ends: what it has started may hold that for longer.
    await this.#exited
    clearTimeout(timer)
    this.#process.stdout.destroy()
    this.#process.stderr.destroy()
  }
}
