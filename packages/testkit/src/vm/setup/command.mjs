// Runs a program and tells clearly how it failed.
import { spawn } from 'node:child_process'

/** How much of a failed program's output goes into the error, in characters. */
const tailLength = 4000

/**
 * Runs a program to its end.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<string>} What it wrote on its standard output.
 * @throws {Error} When it cannot be started or exits with another status than 0; the message ends with its output.
 */
export function runCommand (command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: options.env ?? process.env })
    let output = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', text => {
      output += text
    })
    child.stderr.setEncoding('utf8').on('data', text => {
      errors += text
    })
    child.on('error', cause => {
      reject(new Error(`${command} could not be started.`, { cause }))
    })
    child.on('close', (status, signal) => {
      if (status === 0) return resolve(output)
      const tail = `${output}${errors}`.slice(-tailLength)
      reject(new Error(`${command} ended with ${signal ?? `status ${status}`}. The end of its output:\n${tail}`))
    })
  })
}

/**
 * Tells whether a program can be run.
 *
 * @param {string} command
 * @param {readonly string[]} [args] Arguments with which it succeeds at once.
 * @returns {Promise<boolean>}
 */
export async function canRun (command, args = ['--version']) {
  return runCommand(command, args).then(() => true, () => false)
}
