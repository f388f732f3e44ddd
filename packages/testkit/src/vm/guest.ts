import type { ConsoleLog } from './console-log.js'
import type { CommandResult, GuestAgent } from './guest-agent.js'
import type { QmpClient } from './qmp.js'

/** How QEMU ended. */
export interface Exit {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  /** What it said on its standard error. */
  readonly errors: string
}

/** What a running machine consists of. */
export interface GuestParts {
  readonly qmp: QmpClient
  readonly agent: GuestAgent
  readonly log: ConsoleLog
  readonly exited: Promise<Exit>
  readonly kill: () => void
  readonly type: (text: string) => void
}

/** Emulated guests are slow, and slower yet on a busy machine: these only end what hangs. */
const bootTimeoutMs = 240_000
const commandTimeoutMs = 120_000
const quitTimeoutMs = 10_000

/** A running virtual machine. */
export class Guest implements AsyncDisposable {
  /** QEMU's control connection. */
  readonly qmp: QmpClient
  /** Settles once QEMU has ended, however it did. */
  readonly exited: Promise<Exit>
  readonly #agent: GuestAgent
  readonly #log: ConsoleLog
  readonly #kill: () => void
  readonly #type: (text: string) => void

  constructor (parts: GuestParts) {
    this.qmp = parts.qmp
    this.exited = parts.exited
    this.#agent = parts.agent
    this.#log = parts.log
    this.#kill = parts.kill
    this.#type = parts.type
    this.qmp.onEvent(({ event }) => {
      if (event === 'RESET') this.#agent.restart()
    })
    void this.exited.then(({ status, signal, errors }) => {
      const reason = new Error(`QEMU ended with ${signal ?? `status ${status}`}. It said: ${errors || 'nothing'}.`)
      this.#log.end(reason)
      this.#agent.end(reason)
    })
  }

  /** Everything that came on the console. */
  get consoleText (): string {
    return this.#log.text
  }

  /** Waits until the guest is up and takes commands; after a reset, until it does so again. */
  async ready (timeoutMs = bootTimeoutMs): Promise<void> {
    await this.#agent.ready(timeoutMs).catch((error: unknown) => {
      throw this.#withConsole(error)
    })
  }

  /** Waits for something on the console, after what the wait before found. */
  async waitFor (pattern: RegExp | string, timeoutMs = bootTimeoutMs): Promise<RegExpExecArray> {
    return this.#log.waitFor(pattern, timeoutMs)
  }

  /** Types on the console. */
  send (text: string): void {
    this.#type(text)
  }

  /** Runs a command in the guest's shell, whatever its status. */
  async run (command: string, timeoutMs = commandTimeoutMs): Promise<CommandResult> {
    return this.#agent.run(command, timeoutMs).catch((error: unknown) => {
      throw this.#withConsole(error)
    })
  }

  /**
   * Runs a command in the guest's shell and returns its output.
   *
   * @throws When its status is not 0; the message has its output and the end of the console.
   */
  async check (command: string, timeoutMs = commandTimeoutMs): Promise<string> {
    const { output, status } = await this.run(command, timeoutMs)
    if (status === 0) return output
    throw this.#withConsole(new Error(`"${command}" ended with status ${status} and wrote:\n${output}\n`))
  }

  /** Has the guest reboot from inside. Settles when the machine has been reset; then wait for `ready`. */
  async reboot (timeoutMs = commandTimeoutMs): Promise<void> {
    const reset = this.qmp.waitForEvent('RESET', timeoutMs)
    this.#agent.send('sync; reboot')
    await reset.catch((error: unknown) => {
      throw this.#withConsole(error)
    })
  }

  /** Resets the machine from outside, as its reset button does; then wait for `ready`. */
  async systemReset (): Promise<void> {
    const reset = this.qmp.waitForEvent('RESET', quitTimeoutMs)
    await this.qmp.execute('system_reset')
    await reset
  }

  /** Has the guest switch itself off and waits until QEMU has ended. */
  async powerOff (timeoutMs = commandTimeoutMs): Promise<Exit> {
    this.#agent.send('sync; poweroff')
    return this.#exit(timeoutMs)
  }

  /** Ends QEMU at once, whatever the guest does. */
  async quit (): Promise<Exit> {
    // QEMU may end before it has answered, or be gone already.
    this.qmp.execute('quit').catch(() => undefined)
    return this.#exit(quitTimeoutMs)
  }

  /** Ends QEMU with SIGKILL, as a crash does: it says goodbye to nobody. */
  async kill (): Promise<Exit> {
    this.#kill()
    return this.exited
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    await this.quit().catch(() => undefined)
  }

  async #exit (timeoutMs: number): Promise<Exit> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>(resolve => {
      timer = setTimeout(() => {
        resolve('late')
      }, timeoutMs)
    })
    const exit = await Promise.race([this.exited, late])
    clearTimeout(timer)
    if (exit !== 'late') return exit
    this.#kill()
    await this.exited
    throw this.#withConsole(new Error(`QEMU did not end within ${timeoutMs} ms and was killed.`))
  }

  #withConsole (error: unknown): Error {
    const message = error instanceof Error ? error.message : String(error)
    return new Error(`${message} ${this.#log.tail()}`, { cause: error })
  }
}
