import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PollingInitiator } from '@pcikit/testkit'
import { interleave } from '../measure/interleave.js'
import { takeCores } from '../measure/processor.js'
import type { Cores } from '../measure/processor.js'
import { ratioOf, spreadOf } from '../measure/spread.js'
import { costOf } from '../polled/command-cost.js'
import { createControllerRig } from '../polled/controller-rig.js'
import type { ControllerRigOptions } from '../polled/controller-rig.js'
import { PolledDevice } from '../polled/polled-device.js'
import { DeviceProcess } from '../processes/device-process.js'
import type { Section } from '../report/section.js'
import type { SuiteOptions } from '../suite-options.js'
import { ScatteredCopies } from './scattered-copies.js'

const KIB = 1024
const MIB = 1024 * KIB
const DEPTH = 32
const RANDOM_READ = { order: 'random', readPercent: 100 } as const
const MANY_DEVICES = fileURLToPath(new URL('../processes/many-devices.js', import.meta.url))
const BASE = { transferBytes: 4 * KIB, queueDepth: DEPTH, diskBytes: 64 * MIB }
const REGIONS = 65_000
const SCATTERED_PAGES = 10_000

interface Comparison {
  readonly name: string
  readonly few: ControllerRigOptions
  readonly many: ControllerRigOptions
}

/** In one process. Between few and many nothing differs but what is counted. */
const COMPARISONS: readonly Comparison[] = [
  { name: '64 queues for 1, one used', few: BASE, many: { ...BASE, queuePairs: 64 } },
  { name: '64 queues for 1, in turn', few: BASE, many: { ...BASE, queuePairs: 64, usedPairs: 64 } },
  { name: '65,000 regions for 1, 32 used', few: BASE, many: { ...BASE, regions: REGIONS } },
  ...[64, SCATTERED_PAGES].map(dataPages => ({
    name: `65,000 regions for 1, ${dataPages.toLocaleString('en')} used`,
    few: { ...BASE, dataPages },
    many: { ...BASE, dataPages, regions: REGIONS }
  }))
]

/** The part "scale". */
export async function measureScale (options: SuiteOptions): Promise<Section[]> {
  const rows = []
  for (const comparison of COMPARISONS) rows.push(await compareRigs(comparison, options))
  rows.push(await compareCopies(options))
  const cores = takeCores()
  rows.push(await compareQueues(options, cores), await compareDevices(options, cores))
  return [{
    title: 'Cost of a command as other things grow',
    note: '4 KiB reads at random from a memory back end, 32 deep. The first rows are measured inside of one process, ' +
      'as the cost on the device’s core is; those that say "polled" with `--doorbells mmap` and a polling driver on ' +
      'another core. The bare copies go between the same places as the data of the row above, without a device.',
    columns: ['many for few', 'few, ns', 'many, ns', 'many / few', 'target'],
    rows
  }]
}

async function compareRigs ({ name, few, many }: Comparison, options: SuiteOptions): Promise<Section['rows'][number]> {
  await using one = createControllerRig(few)
  await using other = createControllerRig(many)
  // Awaited here, or what it measures would be gone.
  return await compare(name, options, {
    few: () => costOf(() => one.cycle('read'), DEPTH, options.sliceMs),
    many: () => costOf(() => other.cycle('read'), DEPTH, options.sliceMs)
  })
}

/** Of what many regions in use cost, the part that is nobody's to spare. */
async function compareCopies (options: SuiteOptions): Promise<Section['rows'][number]> {
  using copies = new ScatteredCopies(BASE.diskBytes, SCATTERED_PAGES)
  return await compare('bare copies: 10,000 mappings for 1', options, {
    few: () => copies.throughOne(options.sliceMs),
    many: () => copies.throughEach(options.sliceMs)
  }, '')
}

/** With 63 idle queue pairs, whose doorbells are looked at too. Each in a process of its own, of which one works. */
async function compareQueues (options: SuiteOptions, cores: Cores | undefined): Promise<Section['rows'][number]> {
  await using one = await PolledDevice.start({ core: cores?.device })
  await using many = await PolledDevice.start({ core: cores?.device })
  const few = await prepare(one)
  const crowded = await prepare(many)
  for (let index = 1; index < 63; index++) await many.load({ queueDepth: 1, transferBytes: 4 * KIB })
  return await compare('polled: 64 queues for 1, one used', options, {
    few: () => few(options.sliceMs),
    many: () => crowded(options.sliceMs)
  })
}

async function compareDevices (options: SuiteOptions, cores: Cores | undefined): Promise<Section['rows'][number]> {
  const core = cores?.device
  const serve = async (count: number): Promise<DeviceProcess> =>
    DeviceProcess.serve({ program: MANY_DEVICES, words: [String(count), '{socket}'], core })
  await using one = await PolledDevice.start({ device: await serve(1) })
  await using many = await PolledDevice.start({ device: await serve(16) })
  const others: PollingInitiator[] = []
  for (let index = 1; index < 16; index++) {
    const initiator = await PollingInitiator.attach(join(many.device.folder, String(index)))
    await initiator.enable()
    others.push(initiator)
  }
  const few = await prepare(one)
  const crowded = await prepare(many)
  const row = await compare('polled: 16 devices in the process for 1, one used', options, {
    few: () => few(options.sliceMs),
    many: () => crowded(options.sliceMs)
  })
  for (const initiator of others) await initiator.detach()
  return row
}

/** Fills the disk. Returns what measures the nanoseconds that a command takes. */
async function prepare (device: PolledDevice): Promise<(durationMs: number) => number> {
  await device.fill()
  const load = await device.load({ queueDepth: DEPTH, transferBytes: 4 * KIB })
  return durationMs => {
    const result = load.run({ ...RANDOM_READ, durationMs })
    return result.durationMs * 1e6 / result.commands
  }
}

async function compare (
  name: string,
  { repetitions }: SuiteOptions,
  measure: { readonly few: () => number, readonly many: () => number },
  target = '≤ 1.2'
): Promise<Section['rows'][number]> {
  const figures = await interleave([['few', measure.few], ['many', measure.many]], repetitions)
  const [few, many] = [figures.get('few')!, figures.get('many')!]
  return { name, cells: [spreadOf(few), spreadOf(many), ratioOf(many, few), target] }
}
