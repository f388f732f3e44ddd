import { LatencyHistogram } from '@pcikit/testkit'
import type { PolledRunResult } from '@pcikit/testkit'
import { interleave } from '../measure/interleave.js'
import { takeCores } from '../measure/processor.js'
import type { Cores } from '../measure/processor.js'
import { ratioOf, spreadOf } from '../measure/spread.js'
import { formatNumber } from '../report/format.js'
import { DEVICE_TYPES } from '../processes/device-process.js'
import type { DeviceType } from '../processes/device-process.js'
import type { Section } from '../report/section.js'
import type { SuiteOptions } from '../suite-options.js'
import { commandCost, costOf, largeReadCost, requestCost } from './command-cost.js'
import { createControllerRig } from './controller-rig.js'
import { PingPong } from './ping-pong.js'
import { PolledDevice } from './polled-device.js'

const KIB = 1024
const QUEUE_DEPTHS = [1, 8, 32, 128]
const PATTERNS = [
  { name: 'random read', order: 'random', readPercent: 100 },
  { name: 'random write', order: 'random', readPercent: 0 },
  { name: 'random, 70 % reads', order: 'random', readPercent: 70 },
  { name: 'sequential read', order: 'sequential', readPercent: 100 },
  { name: 'sequential write', order: 'sequential', readPercent: 0 }
] as const
const RANDOM_READ = PATTERNS[0]
const BARE_DEPTH = 32

/** The part "polled". */
export async function measurePolled (options: SuiteOptions): Promise<Section[]> {
  const sections = [await commandCost(options), await requestCost(options), await largeReadCost(options)]
  // Not before: what is measured in one process has a core for its compiler besides.
  const cores = takeCores()
  sections.push(await roundTrip(options, cores))
  for (const type of DEVICE_TYPES) {
    await using device = await PolledDevice.start({ type, core: cores?.device })
    await device.fill()
    for (const transferBytes of [4 * KIB, 128 * KIB]) {
      sections.push(...await throughput(options, type, device, transferBytes))
    }
  }
  return sections
}

async function roundTrip (options: SuiteOptions, cores: Cores | undefined): Promise<Section> {
  const rows = []
  for (const type of DEVICE_TYPES) rows.push(await roundTripRow(type, options, cores))
  return {
    title: 'One command at a time',
    note:
      '4 KiB read at random from a memory back end of 256 MiB, one deep: from the doorbell to the completion, as a ' +
      'driver sees it that polls on another core. The floor is a word of shared memory in each direction between two ' +
      'processes, with a copy of 4 KiB in between. The bare loop is that of the first table, 32 deep. The aim is ' +
      '1.5 µs on a machine where the bare loop takes 0.35 µs: 4.3 of them.',
    columns: [
      'command',
      'mean, µs',
      'p50, µs',
      'floor, µs',
      'bare loop, µs',
      'p50 / floor',
      'p50 / bare loop',
      'target'
    ],
    rows
  }
}

async function roundTripRow (
  type: DeviceType,
  { repetitions, sliceMs }: SuiteOptions,
  cores: Cores | undefined
): Promise<Section['rows'][number]> {
  await using device = await PolledDevice.start({ type, core: cores?.device })
  await using pingPong = await PingPong.start(cores?.device)
  await using rig = createControllerRig({ transferBytes: 4 * KIB, queueDepth: BARE_DEPTH })
  await device.fill()
  const load = await device.load({ queueDepth: 1, transferBytes: 4 * KIB })
  const medians: number[] = []
  const figures = await interleave([
    ['device', () => {
      const result = checked(load.run({ ...RANDOM_READ, durationMs: sliceMs }))
      medians.push(result.latencies.percentile(0.5))
      return result.durationMs * 1000 / result.commands
    }],
    ['floor', () => pingPong.play(sliceMs)],
    ['bare', () => costOf(() => rig.bareCycle('read'), BARE_DEPTH, sliceMs) / 1000]
  ], repetitions)
  const [mean, floor, bare] = [figures.get('device')!, figures.get('floor')!, figures.get('bare')!]
  const median = medians.slice(-repetitions)
  const cells = [
    spreadOf(mean),
    spreadOf(median),
    spreadOf(floor),
    spreadOf(bare),
    ratioOf(median, floor),
    ratioOf(median, bare),
    '≤ 4.3'
  ]
  return { name: `${type}: 4 KiB read, 1 deep`, cells }
}

/** Commands in a second, and how long they took, of every pattern at every depth. */
async function throughput (
  { repetitions, sliceMs }: SuiteOptions,
  type: DeviceType,
  device: PolledDevice,
  transferBytes: number
): Promise<Section[]> {
  const rates = new Map<string, ReturnType<typeof spreadOf>>()
  const latencies = new Map<string, LatencyHistogram>()
  for (const queueDepth of QUEUE_DEPTHS) {
    const load = await device.load({ queueDepth, transferBytes })
    const figures = await interleave<PolledRunResult>(
      PATTERNS.map(pattern => [pattern.name, () => checked(load.run({ ...pattern, durationMs: sliceMs }))]),
      repetitions
    )
    for (const [name, results] of figures) {
      rates.set(`${name} ${queueDepth}`, spreadOf(results.map(each => each.commands / each.durationMs * 1000)))
      const histogram = new LatencyHistogram()
      for (const result of results) histogram.merge(result.latencies)
      latencies.set(`${name} ${queueDepth}`, histogram)
    }
    await load.close()
  }
  const size = `${transferBytes / KIB} KiB`
  const percentiles = (histogram: LatencyHistogram): string =>
    [0.5, 0.99, 0.999].map(share => formatNumber(histogram.percentile(share))).join(' / ')
  return [
    {
      title: `Commands in a second, ${type}, ${size}`,
      note:
        `\`pcikit run ${type} --doorbells mmap\` with a memory back end of 256 MiB on one core, a polling driver on ` +
        'the other.',
      columns: ['command', ...QUEUE_DEPTHS.map(depth => `${depth} deep`)],
      rows: PATTERNS.map(({ name }) => ({ name, cells: QUEUE_DEPTHS.map(depth => rates.get(`${name} ${depth}`)!) })),
      chart: { columns: QUEUE_DEPTHS.map((_, index) => index + 1), axis: 'commands in a second' }
    },
    {
      title: `Latency, ${type}, ${size}`,
      note: 'In the same runs, from submission to completion: p50 / p99 / p99.9, in microseconds, of a sample.',
      columns: ['command', ...QUEUE_DEPTHS.map(depth => `${depth} deep`)],
      rows: PATTERNS.map(({ name }) => ({
        name,
        cells: QUEUE_DEPTHS.map(depth => percentiles(latencies.get(`${name} ${depth}`)!))
      }))
    }
  ]
}

/** A load whose commands fail is no measurement. */
function checked (result: PolledRunResult): PolledRunResult {
  if (result.failures > 0) throw new Error(`${result.failures} of ${result.commands} commands failed.`)
  return result
}
