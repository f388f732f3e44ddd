import { spawn } from 'node:child_process'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the workspace, with a slash at its end. */
export const root = fileURLToPath(new URL('..', import.meta.url))

/** Says what happens, on standard error, so that standard output stays the program's own. */
export function say (message) {
  process.stderr.write(`pcikit: ${message}\n`)
}

/** Stops with a message that says what to do. */
export function fail (message) {
  say(message)
  process.exit(1)
}

/**
 * Runs a program in the workspace with its output shown. Resolves with its exit code; a program that a signal ended
 * counts as 128 plus a failure. Signals that end this process are passed on and waited for.
 */
export function run (command, parameters, options = {}) {
  return new Promise((resolve, reject) => {
    const path = `${root}node_modules/.bin:${dirname(process.execPath)}:${process.env.PATH ?? ''}`
    const child = spawn(command, parameters, {
      cwd: root,
      stdio: 'inherit',
      ...options,
      env: { ...process.env, PATH: path }
    })
    const forward = signal => child.kill(signal)
    const signals = ['SIGINT', 'SIGTERM']
    for (const signal of signals) process.on(signal, forward)
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      for (const each of signals) process.off(each, forward)
      resolve(code ?? (signal === null ? 1 : 128))
    })
  })
}

/** Runs a program and stops when it fails. */
export async function must (what, command, parameters, options) {
  const code = await run(command, parameters, options)
  if (code !== 0) fail(`${what} failed with exit code ${code}. What it printed is above.`)
}
