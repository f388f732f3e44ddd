import { join } from 'node:path'
import { CommandProcess } from '../command-process.js'
import { createFolder } from './testbed.js'
import type { Cleanup } from './testbed.js'

/** `pcikit run` in a process of its own, which does nothing else. */
export interface DeviceProcess {
  readonly pid: number
  readonly path: string
  readonly isRunning: boolean
}

/** Starts the `pcikit` command. It ends with the test. */
export function startCommand (cleanup: Cleanup, words: readonly string[]): CommandProcess {
  return cleanup.add(CommandProcess.start(words), command => command[Symbol.asyncDispose]())
}

/** Starts `pcikit run nvme` on a socket and waits until it serves. The process ends with the test. */
export async function serveCommand (
  cleanup: Cleanup,
  path: string,
  words: readonly string[] = [],
  nodeOptions: readonly string[] = []
): Promise<CommandProcess> {
  const command = await CommandProcess.serve(['run', 'nvme', '--socket', path, ...words], nodeOptions)
  return cleanup.add(command, each => each[Symbol.asyncDispose]())
}

/** Starts `pcikit run nvme` on a socket of its own and waits until it serves. The process ends with the test. */
export async function startDevice (cleanup: Cleanup, words: readonly string[]): Promise<DeviceProcess> {
  const path = join(createFolder(cleanup), 'nvme.sock')
  const command = await serveCommand(cleanup, path, words)
  return {
    pid: command.pid,
    path,
    get isRunning () {
      return command.isRunning
    }
  }
}
