import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { interleave } from '../measure/interleave.js'
import { ratioOf, spreadOf } from '../measure/spread.js'
import { DeviceProcess } from '../processes/device-process.js'
import type { Section } from '../report/section.js'
import type { SuiteOptions } from '../suite-options.js'

const REST_MS = 3000
const MODES = ['trap', 'mmap'] as const
/** Collects when it is told to, so that what is left is what is used. */
const COLLECT_ON_SIGNAL = 'data:text/javascript,process.on("SIGUSR2",()=>{gc();gc()})'

/** The part "start". */
export async function measureStart (options: SuiteOptions): Promise<Section[]> {
  return [await startTime(options), await memoryAtRest(options)]
}

async function startTime ({ repetitions }: SuiteOptions): Promise<Section> {
  const figures = await interleave([
    ['pcikit', async () => {
      const startedAtMs = performance.now()
      const device = await DeviceProcess.run('nvme', ['--backend', 'memory:64M'])
      const tookMs = performance.now() - startedAtMs
      await device[Symbol.asyncDispose]()
      return tookMs
    }],
    ['node', async () => {
      const startedAtMs = performance.now()
      await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit')
      return performance.now() - startedAtMs
    }]
  ], Math.max(repetitions, 5))
  const [pcikit, node] = [figures.get('pcikit')!, figures.get('node')!]
  return {
    title: 'Start',
    note: 'From the command `pcikit run nvme --backend memory:64M` to the moment that it accepts clients, and ' +
      '`node -e 0` from start to end.',
    columns: ['', 'pcikit serves, ms', '`node -e 0`, ms', 'pcikit / node', 'target'],
    rows: [{ name: 'start', cells: [spreadOf(pcikit), spreadOf(node), ratioOf(pcikit, node), '≤ 300 ms'] }]
  }
}

async function memoryAtRest ({ repetitions }: SuiteOptions): Promise<Section> {
  const rows = []
  for (const mode of MODES) {
    const asIs: Memory[] = []
    const collected: Memory[] = []
    for (let repetition = 0; repetition < Math.min(repetitions, 3); repetition++) {
      await using device = await DeviceProcess.run('nvme', ['--backend', 'memory:64M', '--doorbells', mode], {
        nodeOptions: ['--expose-gc', '--import', COLLECT_ON_SIGNAL]
      })
      await delay(REST_MS)
      asIs.push(memoryOf(device.pid))
      process.kill(device.pid, 'SIGUSR2')
      await delay(500)
      collected.push(memoryOf(device.pid))
    }
    const mebibytes = (all: readonly Memory[], part: keyof Memory) => spreadOf(all.map(each => each[part]))
    const cells = [mebibytes(asIs, 'all'), mebibytes(collected, 'all'), mebibytes(collected, 'own')]
    rows.push({ name: `doorbells ${mode}`, cells })
  }
  return {
    title: 'Memory at rest',
    note: 'Resident memory of `pcikit run nvme --backend memory:64M` without a client, some seconds after its start, ' +
      'and after a garbage collection. Own memory leaves the program files out, which processes share.',
    columns: ['', 'resident, MiB', 'after a collection, MiB', 'own, after a collection, MiB'],
    rows
  }
}

interface Memory {
  readonly all: number
  readonly own: number
}

function memoryOf (pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const mebibytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1024
  return { all: mebibytes('VmRSS'), own: mebibytes('RssAnon') + mebibytes('RssShmem') }
}
