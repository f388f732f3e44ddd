// What the record costs the data path: reads of 4 KiB with it, streamed to a file as `pcikit run --record` does, and
// with a recorder that does nothing. Guest and controller are in this process, in turns, in one run: read the ratio.
import { join } from 'node:path'
import { silentRecorder } from '@pcikit/core'
import type { Recorder } from '@pcikit/core'
import { EventRecord } from '@pcikit/core/host'
import { afterAll, bench, describe } from 'vitest'
import { keepRecord } from '../packages/cli/src/keep-record.js'
import { Cleanup, createFolder } from '../test/integration/testbed.js'
import { attachDirectly } from './direct-guest.js'
import { ReadLoad } from './read-load.js'

const BYTES = 4096
const QUEUE_DEPTH = 64
const DISK_BYTES = 16 * 1024 * 1024
/** Commands of one side before it is the other's turn, and how often each has it. */
const COMMANDS = 4000
const ROUNDS = 200
const WARMUP_ROUNDS = 20

/** Keeps nothing. */
class NoRecord extends EventRecord {
  override forDevice (): Recorder {
    return silentRecorder
  }
}

const cleanup = new Cleanup()
const kept = new EventRecord()
cleanup.add(keepRecord(kept, [{ file: join(createFolder(cleanup), 'record') }]), each => each.close())
/** The last one shows how far two are apart that are the same. */
const loads = [await loadOn(kept), await loadOn(new NoRecord()), await loadOn(new NoRecord())] as const
const ratios = { withRecord: [] as number[], control: [] as number[] }
let round = 0

afterAll(async () => {
  process.stdout.write(
    `CPU time of a command without the record over that of one with it: ${spreadOf(ratios.withRecord)}; ` +
      `over that of another without it: ${spreadOf(ratios.control)} ` +
      `(${ROUNDS} rounds of ${COMMANDS} commands; ${kept.count} events)\n`
  )
  await cleanup.run()
})

describe(`reads of 4 KiB, ${QUEUE_DEPTH} deep`, () => {
  bench('a turn with the record, and two without', async () => {
    const times = [0, 0, 0]
    // Who goes first would gain or lose by it.
    for (let turn = 0; turn < 3; turn++) {
      const which = (turn + round) % 3
      times[which] = await cpuTimeOf(loads[which]!)
    }
    round++
    if (round <= WARMUP_ROUNDS) return
    ratios.withRecord.push(times[1]! / times[0]!)
    ratios.control.push(times[1]! / times[2]!)
  }, { iterations: ROUNDS, time: 0, warmupIterations: WARMUP_ROUNDS, warmupTime: 0 })
})

async function loadOn (record: EventRecord): Promise<ReadLoad> {
  const guest = await attachDirectly(cleanup, record, DISK_BYTES)
  const iova = guest.memory.allocate(QUEUE_DEPTH * BYTES)
  return ReadLoad.create(guest, { queueDepth: QUEUE_DEPTH, byteLength: BYTES, diskBytes: DISK_BYTES, iova })
}

/** Microseconds of this process for one command of a turn. Those of other processes do not count. */
async function cpuTimeOf (load: ReadLoad): Promise<number> {
  const first = load.completed
  const start = process.cpuUsage()
  await load.take(COMMANDS)
  const { user, system } = process.cpuUsage(start)
  return (user + system) / (load.completed - first)
}

/** The median, and where nine of ten are. */
function spreadOf (values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b)
  const [low, median, high] = [0.05, 0.5, 0.95].map(share =>
    sorted[Math.floor((sorted.length - 1) * share)]!.toFixed(3)
  )
  return `${median} (nine of ten from ${low} to ${high})`
}
