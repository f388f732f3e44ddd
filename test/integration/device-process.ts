import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createFolder } from './testbed.js'
import type { Cleanup } from './testbed.js'

/** What `npm run build` made of the command. */
const program = fileURLToPath(new URL('../../packages/cli/dist/main.js', import.meta.url))
const LOG_CHARACTERS_MAX = 10_000

/** `pcikit run` in a process of its own, which does nothing else. */
export interface DeviceProcess {
  readonly pid: number
  readonly path: string
  /** The end of what it logged. */
  readonly log: string
  readonly isRunning: boolean
}

/** Starts `pcikit run nvme` and waits until it serves. The process ends with the test. */
export async function startDevice (cleanup: Cleanup, words: readonly string[]): Promise<DeviceProcess> {
  const folder = createFolder(cleanup)
  const path = join(folder, 'nvme.sock')
  const child = spawn(process.execPath, [program, 'run', 'nvme', '--socket', path, ...words], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-LOG_CHARACTERS_MAX)
  })
  cleanup.add(child, end)
  // It tells how to attach it once it accepts clients; a process that ends closes its output.
  const [hint] = await Promise.race([once(child.stdout, 'data'), once(child, 'close')]) as [unknown]
  if (!Buffer.isBuffer(hint) || child.pid === undefined) throw new Error(`The device did not start.\n${log}`)
  child.stdout.resume()
  return {
    pid: child.pid,
    path,
    get log () {
      return log
    },
    get isRunning () {
      return isRunning(child)
    }
  }
}

function isRunning (child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null
}

async function end (child: ChildProcess): Promise<void> {
  if (!isRunning(child)) return
  const closed = once(child, 'close')
  child.kill('SIGTERM')
  await closed
}
