import { setTimeout as delay } from 'node:timers/promises'
import { bootGuest, ensureVm } from '@pcikit/testkit/vm'
import { processorTimeMs } from '../measure/processor.js'
import { spreadOf } from '../measure/spread.js'
import { DeviceProcess } from '../processes/device-process.js'
import type { Section } from '../report/section.js'
import type { SuiteOptions } from '../suite-options.js'

const MODES = ['trap', 'mmap'] as const
const SETTLE_MS = 3000

/** The part "idle". */
export async function measureIdle ({ repetitions, sliceMs }: SuiteOptions): Promise<Section[]> {
  const vm = await ensureVm({ log: message => console.error(message) })
  await using trap = await DeviceProcess.nvme(['--backend', 'memory:64M', '--doorbells', 'trap'])
  await using mmap = await DeviceProcess.nvme(['--backend', 'memory:64M', '--doorbells', 'mmap'])
  const processes = [trap, mmap]
  await using guest = await bootGuest(vm, { vfioUserSockets: processes.map(({ socket }) => socket) })
  await guest.ready()
  await delay(SETTLE_MS)
  const shares = new Map<string, number[]>(MODES.map(mode => [mode, []]))
  for (let repetition = 0; repetition < repetitions; repetition++) {
    const before = processes.map(({ pid }) => processorTimeMs(pid))
    const startedAtMs = performance.now()
    await delay(sliceMs)
    const passedMs = performance.now() - startedAtMs
    MODES.forEach((mode, index) => {
      shares.get(mode)!.push((processorTimeMs(processes[index]!.pid) - before[index]!) / passedMs * 100)
    })
  }
  return [{
    title: 'An idle device',
    note:
      `A device attached to a Linux guest (${vm.accelerator.toUpperCase()}) that has booted and does nothing: user ` +
      'and system time of all threads of its process, in percent of one core.',
    columns: ['', 'of a core, %', 'target'],
    rows: MODES.map(mode => ({
      name: `doorbells ${mode}`,
      cells: [spreadOf(shares.get(mode)!), mode === 'trap' ? '< 1' : '']
    }))
  }]
}
