import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import type { CommandProcess } from '../command-process.js'
import { serveCommand } from './device-process.js'
import { attachGuest, BLOCK_BYTES, Cleanup, createFolder, until } from './testbed.js'

const CLIENTS = 30
/** What is in use goes up and down by half a MiB with what the engine compiles and forgets. A leak only goes up. */
const ROUNDS = 6
/** The record of events grows by less, up to its limit; what is there for a client takes more. */
const KEPT_BYTES_MAX = 8 * 1024
/** On SIGHUP it collects what is garbage, and says what is left. */
const SAY_ON_SIGNAL = `process.on('SIGHUP', async () => {
  for (let times = 0; times < 3; times++) {
    gc()
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  const { heapUsed, external } = process.memoryUsage()
  process.stderr.write('in use: ' + (heapUsed + external) + ' bytes.')
})`

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

async function bytesInUse (command: CommandProcess): Promise<number> {
  const figures = (): readonly number[] =>
    [...command.stderr.matchAll(/in use: (\d+) bytes\./g)].map(each => Number(each[1]))
  const before = figures().length
  command.signal('SIGHUP')
  await until(() => figures().length > before)
  return figures().at(-1) ?? 0
}

it('a device is no bigger after the last client than after some before', async () => {
  const path = join(createFolder(cleanup), 'nvme.sock')
  const say = `data:text/javascript,${encodeURIComponent(SAY_ON_SIGNAL)}`
  const words = ['--backend', 'memory:1MiB', '--log-level', 'error']
  const command = await serveCommand(cleanup, path, words, ['--expose-gc', '--import', say])
  const serveClients = async (): Promise<void> => {
    for (let client = 0; client < CLIENTS; client++) {
      const guest = await attachGuest(cleanup, path, { interrupts: 'msix' })
      await guest.driver.enable()
      await guest.driver.admin.setQueueCount(1)
      const queue = await guest.driver.createQueuePair({ id: 1, depth: 64, vector: 1 })
      await queue.writeBytes(1, 0, BLOCK_BYTES, new Uint8Array(64 * BLOCK_BYTES).fill(client))
      guest.leave()
    }
  }
  await serveClients()
  const before = await bytesInUse(command)
  for (let round = 0; round < ROUNDS; round++) await serveClients()
  expect(await bytesInUse(command) - before).toBeLessThan(ROUNDS * CLIENTS * KEPT_BYTES_MAX)
})
