import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  BlockChaosLoad,
  ChaosMemory,
  MappedDoorbells,
  PciDriver,
  runChaos,
  VfioUserClient,
  VirtioBlkChaosDisk,
  VirtioBlkDriver,
  VirtioPciDriver,
  VirtioStructureType
} from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { BLOCK_BYTES, Cleanup, createFolder } from './testbed.js'
import { GRACE_MS, startVirtioBlk } from './virtio-testbed.js'

/** How long all runs take together, in seconds. */
const SECONDS = Number(process.env['CHAOS_SECONDS'] ?? 20)
/** CHAOS_SEED replays a run, and `fresh` makes one up. */
const SEED = process.env['CHAOS_SEED'] === 'fresh' ?
  Math.floor(Math.random() * 0x1_0000_0000) :
  Number(process.env['CHAOS_SEED'] ?? 3)
/** CHAOS_ACTIONS ends a run where a replay is to end. */
const ACTIONS_MAX = Number(process.env['CHAOS_ACTIONS'] ?? Infinity)
const BLOCK_COUNT = 4096
/** So many that the descriptors of a queue take two pages. */
const QUEUE_ENTRIES = 512
const COMMAND_TIMEOUT_MS = 20_000

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** A file, so that transfers are in flight in the kernel while memory goes. */
function createDisk (): string {
  const path = join(createFolder(cleanup), 'disk')
  writeFileSync(path, new Uint8Array(BLOCK_COUNT * BLOCK_BYTES))
  return path
}

/** A client, memory that it has not mapped yet, and the drivers. */
async function attach (path: string, kind: 'trap' | 'posted' | 'mmap') {
  const memory = cleanup.add(new ChaosMemory(), each => each.close())
  const client = cleanup.add(await VfioUserClient.connect(path, { memory: memory.guest }), each => each.close())
  const pci = new PciDriver(client)
  const options = { access: client, pci, memory: memory.guest, commandTimeoutMs: COMMAND_TIMEOUT_MS }
  if (kind !== 'mmap') {
    return { client, memory, pci, driver: await VirtioPciDriver.attach({ ...options, doorbells: kind }) }
  }
  const notify = (await VirtioPciDriver.attach(options)).structure(VirtioStructureType.NOTIFY)
  const doorbells = MappedDoorbells.map(await client.getRegionInfo(notify.bar), notify.offset)
  cleanup.add(doorbells, each => each.close())
  return { client, memory, pci, driver: await VirtioPciDriver.attach({ ...options, doorbells }) }
}

const setups = [
  { doorbells: 'trap' as const, storage: 'memory', backend: () => 'memory:2MiB', byMessage: true },
  { doorbells: 'posted' as const, storage: 'a file', backend: () => `file:${createDisk()}`, byMessage: false },
  { doorbells: 'mmap' as const, storage: 'a file', backend: () => `file:${createDisk()}`, byMessage: true }
]

describe('virtio-blk under chaos', () => {
  it.each(setups)(
    `survives it with notifications by $doorbells and $storage behind it, seed ${SEED}`,
    async ({ doorbells, backend, byMessage }) => {
      const mode = doorbells === 'mmap' ? 'mmap' : 'trap'
      const words = [
        ...['--backend', backend(), '--queue-entries', String(QUEUE_ENTRIES), '--doorbells', mode],
        ...['--grace-ms', String(GRACE_MS), '--log-level', 'warn']
      ]
      const device = await startVirtioBlk(cleanup, words)
      const { client, pci, memory, driver } = await attach(device.path, doorbells)
      const load = new BlockChaosLoad({
        disk: new VirtioBlkChaosDisk({ driver: new VirtioBlkDriver(driver), pci, queueEntries: QUEUE_ENTRIES }),
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
