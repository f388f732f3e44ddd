// A folder outside of the repository, and the commands that somebody runs there who has nothing but the tarballs.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Only ends what hangs. */
const COMMAND_TIMEOUT_MS = 240_000

/** What the test runner and npm leave in the environment, which a shell does not have. */
const NOT_OF_A_SHELL =
  /^(VITEST|TEST$|NODE_ENV$|DEV$|PROD$|MODE$|BASE_URL$|INIT_CWD$|npm_(?!config_)|npm_config_local_prefix$)/

/** A program that serves until it is stopped. */
export interface Serving {
  /** What it printed until now. */
  readonly output: () => string
  stop(): Promise<void>
}

/** Somebody with an empty folder and an empty cache of npm. */
export class Stranger {
  readonly folder = mkdtempSync(join(tmpdir(), 'pcikit-stranger-'))
  readonly #env: NodeJS.ProcessEnv

  /** `registry` is where npm finds the packages of our scope. */
  constructor (registry: string) {
    const inherited = Object.entries(process.env).filter(([name]) => !NOT_OF_A_SHELL.test(name))
    this.#env = {
      ...Object.fromEntries(inherited),
      'npm_config_cache': join(this.folder, 'cache'),
      'npm_config_audit': 'false',
      'npm_config_fund': 'false',
      'npm_config_update_notifier': 'false',
      'npm_config_@pcikit:registry': registry
    }
  }

  /**
   * Runs a command in a folder below, and resolves with its output.
   *
   * @throws When it fails; the message has all that it printed.
   */
  run (place: string, command: string, words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
    const options = { cwd: join(this.folder, place), env: { ...this.#env, ...env }, timeout: COMMAND_TIMEOUT_MS }
    return new Promise((resolve, reject) => {
      execFile(command, words, options, (error, stdout, stderr) => {
        if (error === null) resolve(stdout)
        else reject(new Error(`${command} ${words.join(' ')} failed: ${error.message}\n${stdout}\n${stderr}`))
      })
    })
  }

  /** Starts a program, and resolves when it has printed what it prints once it serves. */
  async serve (place: string, command: string, words: readonly string[], sign: string): Promise<Serving> {
    const child = spawn(command, words, {
      cwd: join(this.folder, place),
      env: this.#env,
      // A group of its own: npm does not pass a signal on to everything that it started.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe']
    })
    const closed = once(child, 'close')
    let output = ''
    const serving = new Promise<boolean>(resolve => {
      const take = (text: string): void => {
        output += text
        if (output.includes(sign)) resolve(true)
      }
      child.stdout.setEncoding('utf8').on('data', take)
      child.stderr.setEncoding('utf8').on('data', take)
      void closed.then(() => resolve(false))
    })
    if (!await serving) throw new Error(`${command} ${words.join(' ')} ended. It said:\n${output}`)
    const stop = async (): Promise<void> => {
      process.kill(-child.pid!, 'SIGTERM')
      await closed
    }
    return { output: () => output, stop }
  }

  leave (): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
