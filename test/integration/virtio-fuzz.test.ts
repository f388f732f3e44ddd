import { ChaosError, fuzzVirtioDevice, NO_STATUS, VirtioBlkRequest, VirtioBlkStatus } from '@pcikit/testkit'
import type { VirtioFuzzOptions, VirtioSample } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { Cleanup } from './testbed.js'
import { serveVirtioBlk } from './virtio-testbed.js'

/** How long each run takes, in milliseconds. */
const FUZZ_MS = Number(process.env['FUZZ_MS'] ?? 3000)
/** SEED replays a run, and `fresh` makes one up. */
const SEED = process.env['SEED'] === 'fresh' ?
  Math.floor(Math.random() * 0x1_0000_0000) :
  Number(process.env['SEED'] ?? 7)
const SERIAL = 'fuzzed all day long!'

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

/** GET_ID: what random chains write to the disk does not change its answer. */
function getId (): VirtioSample {
  const header = new Uint8Array(16)
  new DataView(header.buffer).setUint32(0, VirtioBlkRequest.GET_ID, true)
  return {
    readable: header,
    writableBytes: SERIAL.length + 1,
    check: answer => {
      if (answer.at(-1) !== VirtioBlkStatus.OK) {
        throw new Error(`The status is ${answer.at(-1)}, of ${NO_STATUS} before.`)
      }
      const id = Buffer.from(answer.subarray(0, SERIAL.length)).toString('latin1')
      if (id !== SERIAL) throw new Error(`The device ID is ${id}.`)
    }
  }
}

describe('virtio-blk with a driver that breaks rules', () => {
  it.each<Partial<VirtioFuzzOptions> & { readonly name: string, readonly doorbells?: 'mmap' }>([
    { name: 'notifications by message' },
    { name: 'notifications in shared memory', doorbells: 'mmap', guest: { doorbells: 'mmap' } },
    { name: 'MSI-X', guest: { interrupts: 'msix' } },
    { name: 'memory that is not shared', byMessage: true }
  ])(`lives and works after every reset, with $name, seed ${SEED}`, async ({ doorbells = 'trap', ...options }) => {
    const { path } = await serveVirtioBlk(cleanup, { serial: SERIAL, doorbells, inOrder: true })
    const report = await fuzzVirtioDevice({ path, sample: getId, seed: SEED, durationMs: FUZZ_MS, ...options })
    expect(report.actionCount).toBeGreaterThan(20)
    expect(report.answerCount).toBeGreaterThan(report.resetCount)
    expect(report.brokenCount).toBeGreaterThan(0)
  }, FUZZ_MS + 60_000)
})

describe('a device that gives up at the first fault', () => {
  it('fails, with an error that says how to replay it, and comes to the same with the same seed', async () => {
    const fail = async (): Promise<ChaosError> => {
      const { path } = await serveVirtioBlk(cleanup, { serial: SERIAL, faultPolicy: 'fatal', inOrder: true })
      const guest = { commandTimeoutMs: 1000 }
      const run = fuzzVirtioDevice({ path, sample: getId, seed: 5, actionsMax: 500, guest })
      return run.catch((error: unknown) => error) as Promise<ChaosError>
    }
    const [first, second] = [await fail(), await fail()]
    const count = Math.min(first.actionCount, second.actionCount)
    expect([first, second]).toEqual([expect.any(ChaosError), expect.any(ChaosError)])
    expect(first.message).toContain(`Seed 5, after ${first.actionCount} actions`)
    expect(first.log.slice(0, count)).toEqual(second.log.slice(0, count))
  })
})
