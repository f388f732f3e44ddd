import { interleave } from '../measure/interleave.js'
import { ratioOf, spreadOf } from '../measure/spread.js'
import type { Section } from '../report/section.js'
import type { SuiteOptions } from '../suite-options.js'
import { createVirtioRig } from '../virtio/virtio-rig.js'
import type { VirtioRigOptions } from '../virtio/virtio-rig.js'
import type { CommandRig, Direction } from './command-rig.js'
import { createControllerRig } from './controller-rig.js'

const KIB = 1024
const CYCLES_PER_CLOCK = 16
const QUEUE_DEPTHS = [32, 128]
/** How requests are given to a virtio device. A driver of Linux has tables wherever the device takes them. */
const FORMATS = [
  { name: 'split', isPacked: false, isIndirect: true },
  { name: 'packed', isPacked: true, isIndirect: true },
  { name: 'split, no tables', isPacked: false, isIndirect: false },
  { name: 'packed, no tables', isPacked: true, isIndirect: false }
]
const COLUMNS = ['command', 'device, ns', 'bare loop, ns', 'host, ns', 'device / bare loop', 'target']
const CHART = { columns: [1, 2], axis: 'ns for a command' }

/** Repeats a cycle for a while. Returns the nanoseconds that a command took. */
export function costOf (cycle: () => number, queueDepth: number, sliceMs: number): number {
  const endsAtMs = performance.now() + sliceMs
  let tookMs = 0
  let cycles = 0
  while (performance.now() < endsAtMs) {
    for (let index = 0; index < CYCLES_PER_CLOCK; index++) tookMs += cycle()
    cycles += CYCLES_PER_CLOCK
  }
  return tookMs * 1e6 / (cycles * queueDepth)
}

/** What a command of NVMe costs the core of the device, over the bare loop. */
export async function commandCost (options: SuiteOptions): Promise<Section> {
  const rows = []
  for (const queueDepth of QUEUE_DEPTHS) {
    await using rig = createControllerRig({ transferBytes: 4 * KIB, queueDepth })
    rows.push(...await costRows(rig, queueDepth, '', options))
  }
  return {
    title: 'What a command costs the core of the device',
    note: 'The parts of the controller on the real DMA manager and memory back end (256 MiB, at random), driven in ' +
      'one process: a batch of commands is written to the ring, the doorbell rung, one turn, the head rung. Only ' +
      'the device is timed; the host column is what writing the commands took besides. The bare loop loads the ' +
      'fields of the same commands, copies once between the same buffers, and writes a completion.',
    columns: COLUMNS,
    rows,
    chart: CHART
  }
}

/** What a request of virtio-blk costs the core of the device, over the bare loop and over NVMe. */
export async function requestCost (options: SuiteOptions): Promise<Section> {
  const rows = []
  for (const queueDepth of QUEUE_DEPTHS) {
    for (const format of FORMATS) {
      const { name, isIndirect } = format
      if (!isIndirect && queueDepth !== QUEUE_DEPTHS[0]) continue
      rows.push(...await requestRows({ transferBytes: 4 * KIB, queueDepth, ...format }, `, ${name}`, options))
    }
  }
  return {
    title: 'What a request of virtio-blk costs the core of the device',
    note:
      'As above: the queues of a virtio device and the requests of virtio-blk, each of a header, one buffer and a ' +
      'status, in a table of indirect descriptors unless it says otherwise. The bare loop loads the descriptors and ' +
      'the header of the same requests, copies once between the same buffers, and writes the status and the used ' +
      'element. The last column but one compares with the controller of NVMe, whose commands ran in turn with these.',
    columns: [...COLUMNS.slice(0, -1), 'device / nvme', 'target'],
    rows,
    chart: CHART
  }
}

/** How fast large reads move, over a plain copy. */
export async function largeReadCost ({ repetitions, sliceMs }: SuiteOptions): Promise<Section> {
  const transferBytes = 128 * KIB
  const queueDepth = 32
  await using nvme = createControllerRig({ transferBytes, queueDepth })
  await using virtio = createVirtioRig({ transferBytes, queueDepth, isPacked: false, isIndirect: true })
  const figures = await interleave([
    ['nvme', () => costOf(() => nvme.cycle('read'), queueDepth, sliceMs)],
    ['virtio-blk', () => costOf(() => virtio.cycle('read'), queueDepth, sliceMs)],
    ['copy', () => costOf(() => nvme.copyCycle(), queueDepth, sliceMs)]
  ], repetitions)
  const speedOf = (name: string): number[] => figures.get(name)!.map(nanoseconds => transferBytes / nanoseconds)
  const copy = speedOf('copy')
  const rows = ['nvme', 'virtio-blk'].map(name => {
    const device = speedOf(name)
    const cells = [spreadOf(device), spreadOf(copy), ratioOf(device, copy), '≥ 0.8']
    return { name: `${name}: 128 KiB read, 32 deep`, cells }
  })
  return {
    title: 'How fast large reads move',
    note:
      'As above, with 128 KiB (with NVMe a PRP list for each command), against `set` between the same buffers and ' +
      'nothing else.',
    columns: ['command', 'device, GB/s', 'copy, GB/s', 'device / copy', 'target'],
    rows
  }
}

async function requestRows (rigOptions: VirtioRigOptions, suffix: string, options: SuiteOptions): Promise<Rows> {
  const { queueDepth, transferBytes } = rigOptions
  await using nvme = createControllerRig({ transferBytes, queueDepth })
  await using rig = createVirtioRig(rigOptions)
  return await costRows(rig, queueDepth, suffix, options, nvme)
}

type Rows = Section['rows']

/** A row for reads and one for writes, with a column for `reference` where there is one. */
async function costRows (
  rig: CommandRig,
  queueDepth: number,
  suffix: string,
  { repetitions, sliceMs }: SuiteOptions,
  reference?: CommandRig
): Promise<Rows> {
  const rows = []
  const cost = (cycle: () => number) => () => costOf(cycle, queueDepth, sliceMs)
  for (const direction of ['read', 'write'] satisfies Direction[]) {
    const figures = await interleave([
      ['device', cost(() => rig.cycle(direction))],
      ['bare', cost(() => rig.bareCycle(direction))],
      ['host', cost(() => rig.hostCycle(direction))],
      ...reference === undefined ? [] : [['reference', cost(() => reference.cycle(direction))] as const]
    ], repetitions)
    const [device, bare] = [figures.get('device')!, figures.get('bare')!]
    const compared = reference === undefined ? [] : [ratioOf(device, figures.get('reference')!)]
    const target = reference === undefined ? '≤ 1.5' : '≤ 1.5; ≤ 1'
    const cells = [spreadOf(device), spreadOf(bare), spreadOf(figures.get('host')!), ratioOf(device, bare)]
    rows.push({ name: `4 KiB ${direction}, ${queueDepth} deep${suffix}`, cells: [...cells, ...compared, target] })
  }
  return rows
}
