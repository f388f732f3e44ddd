import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import type { BootOptions } from './boot-options.js'
import { ConsoleLog } from './console-log.js'
import { GuestAgent } from './guest-agent.js'
import { Guest } from './guest.js'
import type { Exit } from './guest.js'
import { listenOnce } from './incoming-socket.js'
import type { IncomingSocket } from './incoming-socket.js'
import { qemuArguments } from './qemu-arguments.js'
import { QmpClient } from './qmp.js'
import { prepareRun } from './run-files.js'
import type { Vm } from './vm.js'

/** A started QEMU and how it ended. */
interface Process {
  readonly child: ChildProcess
  readonly exited: Promise<Exit>
}

function start (vm: Vm, args: readonly string[]): Process {
  const [program = '', ...first] = vm.qemu.command
  const env = { ...process.env, ...vm.qemu.env }
  const child = spawn(program, [...first, ...args], { stdio: ['ignore', 'ignore', 'pipe'], env })
  const kill = (): void => {
    child.kill('SIGKILL')
  }
  process.once('exit', kill)
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const exited = new Promise<Exit>(resolve => {
    const finish = (status: number | null, signal: NodeJS.Signals | null): void => {
      process.off('exit', kill)
      resolve({ status, signal, errors: errors.trim() })
    }
    child.once('error', error => {
      errors += error.message
      finish(null, null)
    })
    child.once('close', finish)
  })
  return { child, exited }
}

/** The three connections from QEMU, or the reason why it ended before it made them. */
async function accept (sockets: readonly IncomingSocket[], exited: Promise<Exit>): Promise<Socket[]> {
  const failed = exited.then(({ errors }) => {
    throw new Error(`QEMU did not start. It said:\n${errors}`)
  })
  return Promise.race([Promise.all(sockets.map(async ({ connection }) => connection)), failed])
}

/**
 * Starts a virtual machine. Dispose of it, or wait until it has exited: the guest may be running still when its test
 * has failed.
 *
 * @throws When QEMU does not start; the message has what it said.
 */
export async function bootGuest (vm: Vm, options: BootOptions = {}): Promise<Guest> {
  const files = await prepareRun(vm, options)
  const paths = [files.qmpSocket, files.agentSocket, files.consoleSocket]
  const sockets = await Promise.all(paths.map(async path => listenOnce(path)))
  const { child, exited } = start(vm, qemuArguments(options, files, { ...vm.qemu, accelerator: vm.accelerator }))
  const cleaned = exited.finally(async () => {
    for (const socket of sockets) socket.close()
    await rm(files.folder, { recursive: true, force: true })
  })
  try {
    const [qmpSocket, agentSocket, consoleSocket] = await accept(sockets, exited)
    if (qmpSocket === undefined || agentSocket === undefined || consoleSocket === undefined) {
      throw new Error('QEMU did not open its connections.')
    }
    const log = new ConsoleLog()
    consoleSocket.setEncoding('utf8').on('data', (text: string) => {
      log.append(text)
      options.onConsole?.(text)
    })
    consoleSocket.on('error', () => {
      consoleSocket.destroy()
    })
    const agent = new GuestAgent(agentSocket)
    const qmp = await QmpClient.connect(qmpSocket)
    const kill = (): void => {
      child.kill('SIGKILL')
    }
    const type = (text: string): void => {
      consoleSocket.write(text)
    }
    return new Guest({ qmp, agent, log, exited: cleaned, kill, type })
  } catch (error) {
    child.kill('SIGKILL')
    await cleaned
    throw error
  }
}
