import {
  ChaosMemory,
  MappedDoorbells,
  PciDriver,
  VfioUserClient,
  VirtioBlkChaosDisk,
  VirtioBlkDriver,
  VirtioPciDriver,
  VirtioStructureType
} from '@pcikit/testkit'
import { afterEach, describe, it } from 'vitest'
import { CHAOS_SECONDS, CHAOS_SEED, chaosSetups, expectSurvival } from './chaos-run.js'
import { Cleanup } from './testbed.js'
import { GRACE_MS, startVirtioBlk } from './virtio-testbed.js'

/** So many that the descriptors of a queue take two pages. */
const QUEUE_ENTRIES = 512
const COMMAND_TIMEOUT_MS = 20_000

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

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

describe('virtio-blk under chaos', () => {
  it.each(chaosSetups(cleanup))(
    `survives it with notifications by $doorbells and $storage behind it, seed ${CHAOS_SEED}`,
    async ({ doorbells, backend, byMessage }) => {
      const mode = doorbells === 'mmap' ? 'mmap' : 'trap'
      const device = await startVirtioBlk(cleanup, [
        ...['--backend', backend(), '--queue-entries', String(QUEUE_ENTRIES), '--doorbells', mode, '--in-order'],
        ...['--grace-ms', String(GRACE_MS), '--log-level', 'warn']
      ])
      const { client, pci, memory, driver } = await attach(device.path, doorbells)
      const blk = new VirtioBlkDriver(driver)
      const disk = new VirtioBlkChaosDisk({ driver: blk, pci, queueEntries: QUEUE_ENTRIES })
      await expectSurvival(device, { client, pci, memory, disk }, byMessage)
    },
    1000 * (CHAOS_SECONDS + 120)
  )
})
