import { interleave } from '../measure/interleave.js'
import { ratioOf, spreadOf } from '../measure/spread.js'
import type { Section } from '../report/section.js'
import type { SuiteOptions } from '../suite-options.js'
import { ControllerRig, READ, WRITE } from './controller-rig.js'

const KIB = 1024
const CYCLES_PER_CLOCK = 16

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

/** What a command costs the core of the device, over the bare loop. */
export async function commandCost ({ repetitions, sliceMs }: SuiteOptions): Promise<Section> {
  const rows = []
  for (const queueDepth of [32, 128]) {
    await using rig = ControllerRig.create({ transferBytes: 4 * KIB, queueDepth })
    for (const [name, opcode] of [['read', READ], ['write', WRITE]] as const) {
      const figures = await interleave([
        ['device', () => costOf(() => rig.cycle(opcode), queueDepth, sliceMs)],
        ['bare', () => costOf(() => rig.bareCycle(opcode), queueDepth, sliceMs)],
        ['host', () => costOf(() => rig.hostCycle(opcode), queueDepth, sliceMs)]
      ], repetitions)
      const [device, bare, host] = [figures.get('device')!, figures.get('bare')!, figures.get('host')!]
      const cells = [spreadOf(device), spreadOf(bare), spreadOf(host), ratioOf(device, bare), '≤ 1.5']
      rows.push({ name: `4 KiB ${name}, ${queueDepth} deep`, cells })
    }
  }
  return {
    title: 'What a command costs the core of the device',
    note: 'The parts of the controller on the real DMA manager and memory back end (256 MiB, at random), driven in ' +
      'one process: a batch of commands is written to the ring, the doorbell rung, one turn, the head rung. Only ' +
      'the device is timed; the host column is what writing the commands took besides. The bare loop loads the ' +
      'fields of the same commands, copies once between the same buffers, and writes a completion.',
    columns: ['command', 'device, ns', 'bare loop, ns', 'host, ns', 'device / bare loop', 'target'],
    rows,
    chart: { columns: [1, 2], axis: 'ns for a command' }
  }
}

/** How fast large reads move, over a plain copy. */
export async function largeReadCost ({ repetitions, sliceMs }: SuiteOptions): Promise<Section> {
  const transferBytes = 128 * KIB
  const queueDepth = 32
  await using rig = ControllerRig.create({ transferBytes, queueDepth })
  const figures = await interleave([
    ['device', () => costOf(() => rig.cycle(READ), queueDepth, sliceMs)],
    ['copy', () => costOf(() => rig.copyCycle(), queueDepth, sliceMs)]
  ], repetitions)
  const [device, copy] = [figures.get('device')!, figures.get('copy')!]
  const speed = (times: readonly number[]): number[] => times.map(nanoseconds => transferBytes / nanoseconds)
  const cells = [spreadOf(speed(device)), spreadOf(speed(copy)), ratioOf(speed(device), speed(copy)), '≥ 0.8']
  return {
    title: 'How fast large reads move',
    note:
      'As above, with 128 KiB and a PRP list for each command, against `set` between the same buffers and nothing ' +
      'else.',
    columns: ['command', 'device, GB/s', 'copy, GB/s', 'device / copy', 'target'],
    rows: [{ name: '128 KiB read, 32 deep', cells }]
  }
}
