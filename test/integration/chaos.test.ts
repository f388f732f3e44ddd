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
import { CHAOS_BLOCKS, CHAOS_SECONDS, CHAOS_SEED, chaosSetups, expectSurvival } from './chaos-run.js'
import { startDevice } from './device-process.js'
import { BLOCK_BYTES, Cleanup, serve } from './testbed.js'

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

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

describe('the controller under chaos', () => {
  it.each(chaosSetups(cleanup))(
    `survives it with doorbells by $doorbells and $storage behind it, seed ${CHAOS_SEED}`,
    async ({ doorbells, backend, byMessage }) => {
      const mode = doorbells === 'mmap' ? 'mmap' : 'trap'
      // The machine may be slow: what waits for memory must not give up before it is back.
      const words = ['--backend', backend(), '--doorbells', mode, '--grace-ms', '600000', '--log-level', 'warn']
      const device = await startDevice(cleanup, words)
      const { client, pci, memory, driver } = await attach(device.path, doorbells)
      const disk = new NvmeChaosDisk({ driver, pci, memory: memory.guest })
      await expectSurvival(device, { client, pci, memory, disk }, byMessage)
    },
    1000 * (CHAOS_SECONDS + 120)
  )
})

describe('chaos that a controller does not survive', () => {
  /** The controller stops at the first fault, which is not what a guest expects of memory that comes back. */
  async function fail (): Promise<unknown> {
    const { path } = await serve(cleanup, { faultPolicy: 'fatal' })
    const { client, pci, memory, driver } = await attach(path, 'posted', 1000)
    const disk = new NvmeChaosDisk({ driver, pci, memory: memory.guest })
    const options = { disk, memory: memory.guest, seed: 5, blockBytes: BLOCK_BYTES, blockCount: CHAOS_BLOCKS }
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
