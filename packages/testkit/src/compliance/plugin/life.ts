import { describe, expect, it } from 'vitest'
import type { PluginFixture } from '../plugin.js'
import { PluginBench } from './plugin-bench.js'
import type { StartAction } from './plugin-bench.js'
import { ProcessState } from './process-state.js'

const TIMES = 100
/** Only ends what hangs. */
const TIMEOUT_MS = 120_000
/** What is opened once for a process, such as an addon, is there after this. */
const WARM_UP = 3

/** `Device`: built once, started once, closed once, whatever became of it in between; and then nothing is left. */
export function describeLife (fixture: PluginFixture): void {
  describe('life', () => {
    it(`is created, started and closed ${TIMES} times without a trace`, async () => {
      const live = () => liveOnce(fixture)
      await repeat(WARM_UP, live)
      const state = ProcessState.read()

      await repeat(TIMES, live)

      expect(await state.growth()).toEqual([])
    }, TIMEOUT_MS)

    it('is closed without a trace when it was never started', async () => {
      const live = () => failOnce(fixture, () => Promise.reject(new Error('the suite starts nothing')))
      await repeat(WARM_UP, live)
      const state = ProcessState.read()

      await repeat(TIMES, live)

      expect(await state.growth()).toEqual([])
    }, TIMEOUT_MS)

    it('is closed without a trace when what came after its start failed', async () => {
      const live = () =>
        failOnce(fixture, async device => {
          await device.start?.()
          throw new Error('the suite takes the start back')
        })
      await repeat(WARM_UP, live)
      const state = ProcessState.read()

      await repeat(TIMES, live)

      expect(await state.growth()).toEqual([])
    }, TIMEOUT_MS)

    it('is closed without a trace when its start failed', async ({ skip }) => {
      const { failingOptions } = fixture
      skip(failingOptions === undefined, 'the fixture has no options with which it fails')
      const live = () => failOnce(fixture, async device => device.start?.(), failingOptions)
      await repeat(WARM_UP, live)
      const state = ProcessState.read()

      await repeat(TIMES, live)

      expect(await state.growth()).toEqual([])
    }, TIMEOUT_MS)

    it('is closed without a trace with a client there', async () => {
      const live = () => liveOnce(fixture, true)
      await repeat(WARM_UP, live)
      const state = ProcessState.read()

      await repeat(TIMES, live)

      expect(await state.growth()).toEqual([])
    }, TIMEOUT_MS)
  })
}

async function repeat (times: number, action: () => Promise<void>): Promise<void> {
  for (let nth = 0; nth < times; nth++) await action()
}

async function liveOnce (fixture: PluginFixture, withClient = false): Promise<void> {
  const bench = await PluginBench.open(fixture)
  const { endpoint, dma } = await bench.createDevice()
  if (withClient) endpoint.connect()
  await bench.close()
  expect(dma.openLeaseCount, 'leases left open').toBe(0)
}

/** A device whose creation fails, which closes it: with what the start says, and not with a failure to close. */
async function failOnce (
  fixture: PluginFixture,
  start: StartAction,
  options?: Readonly<Record<string, unknown>>
): Promise<void> {
  const bench = await PluginBench.open(fixture, start)
  await expect(bench.createDevice(options)).rejects.toThrow()
  await bench.close()
  expect(bench.closeFailures).toEqual([])
}
