import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  BlockChaosLoad,
  ChaosError,
  ChaosMemory,
  MappedDoorbells,
  NvmeChaosDisk,
  NvmeDriver,
  PciDriver,
  runChaos,
  VfioUserClient
} from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { startDevice } from './device-process.js'
import { BLOCK_BYTES, Cleanup, createFolder, serve } from './testbed.js'

/** How long all runs take together, in seconds. */
const SECONDS = Number(process.env['CHAOS_SECONDS'] ?? 20)
/** CHAOS_SEED replays a run, and `fresh` makes one up. */
const SEED = process.env['CHAOS_SEED'] === 'fresh' ?
  Math.floor(Math.random() * 0x1_0000_0000) :
  Number(process.env['CHAOS_SEED'] ?? 3)
/** CHAOS_ACTIONS ends a run where a replay is to end. */
const ACTIONS_MAX = Number(process.env['CHAOS_ACTIONS'] ?? Infinity)
const BLOCK_COUNT = 4096

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** A file for namespace 1, so that transfers are in flight in the kernel while memory goes. */
function createDisk (): string {
  const path = join(createFolder(cleanup), 'disk')
  writeFileSync(path, new Uint8Array(BLOCK_COUNT * BLOCK_BYTES))
  return path
}

/** A client, memory that it has not mapped yet, and the drivers. */
async function attach (path: string, kind: 'trap' | 'posted' | 'mmap', commandTimeoutMs = 20_000) {
  const memory = cleanup.add(new ChaosMemory(), each => each.close())
  const client = cleanup.add(
    await VfioUserClient.connect(path, { memory: memory.guest }),
    each => each.close()
  )
  const doorbells = kind === 'mmap' ? MappedDoorbells.map(await client.getRegionInfo(0)) : kind
  const options = { access: client, memory: memory.guest, doorbells, commandTimeoutMs }
  const driver = cleanup.add(new NvmeDriver(options), each => each.doorbells.close())
  return { client, memory, driver, pci: new PciDriver(client) }
}

const setups = [
  { doorbells: 'trap' as const, storage: 'memory', backend: () => 'memory:2MiB', byMessage: true },
  { doorbells: 'posted' as const, storage: 'a file', backend: () => `file:${createDisk()}`, byMessage: false },
  { doorbells: 'mmap' as const, storage: 'a file', backend: () => `file:${createDisk()}`, byMessage: true }
]

describe('the controller under chaos', () => {
  it.each(setups)(
    `survives it with doorbells by $doorbells and $storage behind it, seed ${SEED}`,
    async ({ doorbells, backend, byMessage }) => {
      const mode = doorbells === 'mmap' ? 'mmap' : 'trap'
      // The machine may be slow: what waits for memory must not give up before it is back.
      const words = ['--backend', backend(), '--doorbells', mode, '--grace-ms', '600000', '--log-level', 'warn']
      const device = await startDevice(cleanup, words)
      const { client, pci, memory, driver } = await attach(device.path, doorbells)
      const load = new BlockChaosLoad({
        disk: new NvmeChaosDisk({ driver, pci, memory: memory.guest }),
        memory: memory.guest,
        seed: SEED,
        blockBytes: BLOCK_BYTES,
        blockCount: BLOCK_COUNT
      })
      const report = await runChaos({
        client,
        pci,
        memory,
        load,
        seed: SEED,
        durationMs: 1000 * SECONDS / setups.length,
        actionsMax: ACTIONS_MAX,
        pid: device.pid,
        byMessage
      })
      expect(report.actionCount).toBeGreaterThan(0)
      expect(report.commandCount).toBeGreaterThan(report.actionCount)
      expect(device.isRunning).toBe(true)
    },
    1000 * (SECONDS + 120)
  )
})

describe('chaos that a controller does not survive', () => {
  /** The controller stops at the first fault, which is not what a guest expects of memory that comes back. */
  async function fail (): Promise<unknown> {
    const { path } = await serve(cleanup, { faultPolicy: 'fatal' })
    const { client, pci, memory, driver } = await attach(path, 'posted', 1000)
    const disk = new NvmeChaosDisk({ driver, pci, memory: memory.guest })
    const options = { disk, memory: memory.guest, seed: 5, blockBytes: BLOCK_BYTES, blockCount: BLOCK_COUNT }
    const run = runChaos({ client, pci, memory, load: new BlockChaosLoad(options), seed: 5, actionsMax: 500 })
    return run.catch((error: unknown) => error)
  }

  it('ends with an error that says how to replay it, and comes to the same with the same seed', async () => {
    const [first, second] = [await fail() as ChaosError, await fail() as ChaosError]
    const count = Math.min(first.actionCount, second.actionCount)
    expect([first, second]).toEqual([expect.any(ChaosError), expect.any(ChaosError)])
    expect(first.message).toContain(`Seed 5, after ${first.actionCount} actions`)
    expect(count).toBeGreaterThan(0)
    expect(first.log.slice(0, count)).toEqual(second.log.slice(0, count))
  })
})
