import { join } from 'node:path'
import { CONTROLLER_SOCKET, PolledLoad, PollingInitiator } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { serveCommand } from './device-process.js'
import { BLOCK_BYTES, Cleanup, createFolder } from './testbed.js'

const KIB = 1024
const MIB = 1024 * KIB
const DISK_BYTES = 8 * MIB
const RUN_MS = 50

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** A load leaves the process no time for anything else, so the controller has to be in another one. */
async function attach (diskBytes = DISK_BYTES): Promise<PollingInitiator> {
  const folder = createFolder(cleanup)
  const words = ['--doorbells', 'mmap', '--backend', `memory:${diskBytes}`]
  await serveCommand(cleanup, join(folder, CONTROLLER_SOCKET), words)
  const initiator = await PollingInitiator.attach(folder)
  cleanup.add(initiator, () => initiator.drop())
  await initiator.enable()
  await initiator.driver.admin.setQueueCount(4)
  return initiator
}

describe('PolledLoad', () => {
  it.each(
    [
      { queueDepth: 1, transferBytes: 4 * KIB, order: 'random', readPercent: 100 },
      { queueDepth: 32, transferBytes: 4 * KIB, order: 'random', readPercent: 50 },
      { queueDepth: 8, transferBytes: 128 * KIB, order: 'sequential', readPercent: 0 }
    ] as const
  )('gets $queueDepth commands of $transferBytes bytes done at a time', async options => {
    const { queueDepth, transferBytes, order, readPercent } = options
    const place = { queueId: 1, blockBytes: BLOCK_BYTES, diskBytes: DISK_BYTES }
    const load = await PolledLoad.create(await attach(), { ...place, queueDepth, transferBytes })
    const result = load.run({ order, readPercent, durationMs: RUN_MS })
    expect(result.failures).toBe(0)
    expect(result.commands).toBeGreaterThanOrEqual(queueDepth)
    expect(result.latencies.count).toBeGreaterThan(0)
    expect(result.latencies.count).toBeLessThan(result.commands)
  })

  it('writes the whole disk when it is to fill it', async () => {
    const initiator = await attach(MIB)
    const options = { queueId: 1, queueDepth: 3, transferBytes: 64 * KIB, blockBytes: BLOCK_BYTES }
    const load = await PolledLoad.create(initiator, { ...options, diskBytes: MIB })
    load.fill(0x5a)
    await load.close()
    const queue = await initiator.driver.createQueuePair({ id: 2, depth: 16 })
    const bytes = await queue.readBytes(1, 0, BLOCK_BYTES, MIB)
    expect(bytes.findIndex(byte => byte !== 0x5a)).toBe(-1)
  })

  it('counts commands that fail', async () => {
    const options = { queueId: 1, queueDepth: 4, transferBytes: 4 * KIB, blockBytes: BLOCK_BYTES }
    const load = await PolledLoad.create(await attach(), { ...options, diskBytes: 2 * DISK_BYTES })
    const result = load.run({ order: 'random', readPercent: 100, durationMs: RUN_MS })
    expect(result.failures).toBeGreaterThan(0)
    expect(result.failures).toBeLessThan(result.commands)
  })

  it('gives its queues back', async () => {
    const initiator = await attach()
    const options = {
      queueId: 1,
      queueDepth: 4,
      transferBytes: 4 * KIB,
      blockBytes: BLOCK_BYTES,
      diskBytes: DISK_BYTES
    }
    await (await PolledLoad.create(initiator, options)).close()
    const again = await PolledLoad.create(initiator, options)
    expect(again.run({ order: 'random', readPercent: 100, durationMs: RUN_MS }).failures).toBe(0)
  })

  it('throws where the controller refuses its queues', async () => {
    const initiator = await attach()
    const options = { queueId: 4000, queueDepth: 4, transferBytes: 4 * KIB, blockBytes: BLOCK_BYTES }
    await expect(PolledLoad.create(initiator, { ...options, diskBytes: DISK_BYTES })).rejects.toThrow(
      /Completion Queue/
    )
  })
})
