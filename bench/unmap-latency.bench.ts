// How long a client waits for the answer to an unmap, while the controller, in a process of its own, works on the very
// memory that goes. What the client saw has its own work for the load in it; what the controller recorded has not.
import { afterAll, bench, describe } from 'vitest'
import { Cleanup } from '../test/integration/testbed.js'
import { UnmapRig } from './unmap-rig.js'
import type { RigOptions } from './unmap-rig.js'

const KIB = 1024
const QUEUE_DEPTH = 64
/** Longer ones would only make the benchmark longer. */
const DEADLINE_MS = 200
/** The client shares the machine with the controller and a load: so late it may see a reply that was in time. */
const TOLERANCE_MS = 5

const cleanup = new Cleanup()
const rigs = new Map<string, { readonly options: RigOptions, readonly rig: UnmapRig }>()
const lines: string[] = []

for (const isStuck of [false, true]) {
  for (const backend of ['memory', 'file'] as const) {
    for (const byteLength of [4 * KIB, 128 * KIB]) {
      const name = `${backend}, ${byteLength / KIB} KiB${isStuck ? ', and a back end that does not answer' : ''}`
      const options = { backend, byteLength, queueDepth: QUEUE_DEPTH, isStuck, deadlineMs: DEADLINE_MS }
      rigs.set(name, { options, rig: await UnmapRig.create(cleanup, options) })
    }
  }
}

async function rest (): Promise<void> {
  for (const { rig } of rigs.values()) await rig.stop()
}

afterAll(async () => {
  await rest()
  for (const [name, { options, rig }] of rigs) report(name, options, rig)
  process.stdout.write(`${lines.join('\n')}\n`)
  await cleanup.run()
})

describe(`take a region away and give it back, under reads ${QUEUE_DEPTH} deep`, () => {
  for (const [name, { options, rig }] of rigs) {
    const iterations = options.isStuck === true ? 50 : 300
    bench(name, () => rig.takeAndGiveBack(), {
      ...{ iterations, time: 0, warmupIterations: 5, warmupTime: 0 },
      // Nothing waits for a teardown.
      setup: async () => {
        await rest()
        rig.start()
      }
    })
  }
})

function report (name: string, options: RigOptions, rig: UnmapRig): void {
  const { client, controller } = rig.latencies()
  const lateness = options.isStuck === true ? latenessOf : (): string => ''
  lines.push('', `unmap under ${name}`)
  lines.push(`  as the client saw it   ${distribution(client)}${lateness(client, options.deadlineMs)}`)
  lines.push(`  in the controller      ${distribution(controller)}${lateness(controller, options.deadlineMs)}`)
}

function latenessOf (latencies: readonly number[], deadlineMs: number): string {
  const past = Math.max(...latencies) - deadlineMs
  const lateBy = (ms: number): number => latencies.filter(latency => latency > deadlineMs + ms).length
  return `\n    max - deadline of ${deadlineMs} ms: ${past.toFixed(2)} ms; later than it: ${lateBy(0)}, ` +
    `by more than ${TOLERANCE_MS} ms: ${lateBy(TOLERANCE_MS)}`
}

function distribution (latencies: readonly number[]): string {
  const sorted = [...latencies].sort((a, b) => a - b)
  const at = (share: number): string => sorted[Math.ceil(sorted.length * share) - 1]!.toFixed(2).padStart(7)
  return `p50 ${at(0.5)}   p99 ${at(0.99)}   max ${at(1)} ms   (${sorted.length})`
}
