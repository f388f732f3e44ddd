import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { takeCores } from '../measure/processor.js'
import type { Cores } from '../measure/processor.js'
import { PolledDevice } from '../polled/polled-device.js'
import { DEVICE_TYPES, PCIKIT_IN_FILES } from '../processes/device-process.js'
import type { DeviceType } from '../processes/device-process.js'
import type { Section } from '../report/section.js'
import type { SuiteOptions } from '../suite-options.js'
import { megamorphicSites } from './inline-caches.js'
import type { MegamorphicSite } from './inline-caches.js'
import { selfTimes } from './self-times.js'
import type { SelfTime } from './self-times.js'

const TRANSFER_BYTES = 4096
const QUEUE_DEPTH = 32
const FUNCTIONS_SHOWN = 15
const WARM_UP_MS = 3000
/** The engine makes its heap smaller some 16 seconds after a start, in some collections of all objects. */
const HEAP_WARM_UP_MS = 20_000
/** How long the output of the device may take to be here. */
const OUTPUT_MS = 100
const MIX = [
  { name: 'read', order: 'random', readPercent: 100 },
  { name: 'write', order: 'random', readPercent: 0 }
] as const

type Pattern = (typeof MIX)[number]

/** What is under load. */
interface Loaded {
  readonly type: DeviceType
  readonly pattern: Pattern
  readonly durationMs: number
  readonly cores: Cores | undefined
  /** Until steady state, in milliseconds. */
  readonly warmUpMs?: number
}

/** A device that ran under load with options of Node, warmed up, and ended. */
interface Run {
  readonly commands: number
  /** What it wrote in steady state. */
  readonly output: string
  /** When steady state began and ended, in microseconds of the monotonic clock. */
  readonly fromUs: number
  readonly untilUs: number
  /** What is in its folder under a name that ends so. */
  readonly readFile: (ending: string) => string
}

/** The part "profile": where the time of a polled device goes, and whether it collects garbage in steady state. */
export async function profilePolled ({ sliceMs }: SuiteOptions): Promise<Section[]> {
  const cores = takeCores()
  const sections = []
  const shares = new Map<string, number>()
  for (const type of DEVICE_TYPES) {
    for (const pattern of MIX) {
      const times = await profileTime({ type, pattern, durationMs: sliceMs, cores })
      for (const { name, share } of times) shares.set(name, Math.max(share, shares.get(name) ?? 0))
      sections.push(timeSection(type, pattern, times))
    }
  }
  sections.push(await profileCollections(sliceMs, cores))
  for (const type of DEVICE_TYPES) sections.push(await profileCaches(type, shares, cores))
  return sections
}

async function profileTime (loaded: Loaded): Promise<SelfTime[]> {
  const options = ['--cpu-prof', '--cpu-prof-interval', '250', '--cpu-prof-dir', '{folder}']
  return underLoad(loaded, options, run => selfTimes(run.readFile('.cpuprofile'), run.fromUs, run.untilUs))
}

function timeSection (type: DeviceType, pattern: Pattern, times: readonly SelfTime[]): Section {
  return {
    title: `Where the time of a polled ${type} goes: 4 KiB ${pattern.name}, 32 deep`,
    note: `\`node --cpu-prof\` on \`pcikit run ${type} --doorbells mmap\` under load, in steady state: time in the ` +
      'function itself, of all time in which the process did not sleep.',
    columns: ['function', 'self time, %'],
    rows: times.slice(0, FUNCTIONS_SHOWN).map(({ name, share }) => ({ name: `\`${name}\``, cells: [share * 100] }))
  }
}

async function profileCollections (durationMs: number, cores: Cores | undefined): Promise<Section> {
  const rows = []
  for (const { type, pattern } of DEVICE_TYPES.flatMap(type => MIX.map(pattern => ({ type, pattern })))) {
    rows.push(
      await underLoad({ type, pattern, durationMs, cores, warmUpMs: HEAP_WARM_UP_MS }, ['--trace-gc'], run => {
        const { commands, output } = run
        const count = (kind: RegExp): number => output.split('\n').filter(line => kind.test(line)).length
        const [small, large] = [count(/ms: Scavenge/), count(/ms: Mark-Compact/)]
        const millions = commands / 1e6
        return {
          name: `${type}: 4 KiB ${pattern.name}, 32 deep`,
          cells: [millions, small, large, (small + large) / millions, '0']
        }
      })
    )
  }
  return {
    title: 'Garbage collections in steady state',
    note:
      '`node --trace-gc` on the same processes, after a warm-up of 20 seconds: some seconds after a start, V8 collects ' +
      'a few times to give memory back that only the start needed.',
    columns: ['load', 'commands, millions', 'scavenges', 'mark-compacts', 'collections per million', 'target'],
    rows
  }
}

async function profileCaches (
  type: DeviceType,
  shares: ReadonlyMap<string, number>,
  cores: Cores | undefined
): Promise<Section> {
  const options = ['--log-ic', '--log-code', '--logfile={folder}/v8.log', '--no-logfile-per-isolate']
  return underLoad({ type, pattern: MIX[0], durationMs: 500, cores }, options, run => {
    const shareOf = (site: MegamorphicSite): number => shares.get(site.function) ?? 0
    const sites = megamorphicSites(run.readFile('v8.log')).sort((left, right) => shareOf(right) - shareOf(left))
    const siteRow = (site: MegamorphicSite): Section['rows'][number] => ({
      name: `\`${site.place}\``,
      cells: [`\`${site.property}\``, `\`${site.function}\``, shareOf(site) * 100]
    })
    return {
      title: `Megamorphic accesses and calls: ${type}`,
      note: '`node --log-ic --log-code`: places in the packages of the data path that saw more kinds of objects than ' +
        'the engine keeps apart, since the start of the process, and how much of the time in the profiles above went ' +
        'to their function. Start-up and admin commands are included: where no time went there is no harm.',
      columns: ['place', 'what', 'function', 'self time, %'],
      rows: sites.length === 0 ? [{ name: 'none', cells: ['', '', ''] }] : sites.map(siteRow)
    }
  })
}

/** `nodeOptions` may say `{folder}` for a folder of the run. */
async function underLoad<T> (loaded: Loaded, nodeOptions: readonly string[], use: (run: Run) => T): Promise<T> {
  const { type, pattern, durationMs, cores, warmUpMs = WARM_UP_MS } = loaded
  await using device = await PolledDevice.start({
    type,
    program: PCIKIT_IN_FILES,
    nodeOptions,
    core: cores?.device
  })
  await device.fill()
  const load = await device.load({ queueDepth: QUEUE_DEPTH, transferBytes: TRANSFER_BYTES })
  load.run({ ...pattern, durationMs: warmUpMs })
  await delay(OUTPUT_MS)
  const outputBefore = device.device.output.length
  const fromUs = nowUs()
  const { commands } = load.run({ ...pattern, durationMs })
  const untilUs = nowUs()
  await delay(OUTPUT_MS)
  const output = device.device.output.slice(outputBefore)
  await device.end()
  const { folder } = device.device
  const readFile = (ending: string): string => {
    const name = readdirSync(folder).find(each => each.endsWith(ending))
    if (name === undefined) throw new Error(`The device left no file *${ending}.`)
    return readFileSync(join(folder, name), 'utf8')
  }
  return use({ commands, output, fromUs, untilUs, readFile })
}

function nowUs (): number {
  return Number(process.hrtime.bigint() / 1000n)
}
