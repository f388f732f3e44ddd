import { setTimeout as delay } from 'node:timers/promises'
import { bootGuest, ensureVm } from '@pcikit/testkit/vm'
import type { Vm } from '@pcikit/testkit/vm'
import { processorTimeMs } from '../measure/processor.js'
import { spreadOf } from '../measure/spread.js'
import { DEVICE_TYPES, DeviceProcess } from '../processes/device-process.js'
import type { Section } from '../report/section.js'
import type { SuiteOptions } from '../suite-options.js'

const DEVICES = DEVICE_TYPES.flatMap(type => (['trap', 'mmap'] as const).map(mode => ({ type, mode })))
const SETTLE_MS = 3000

/** The part "idle". */
export async function measureIdle (options: SuiteOptions): Promise<Section[]> {
  const vm = await ensureVm({ log: message => console.error(message) })
  const processes = await Promise.all(
    DEVICES.map(({ type, mode }) => DeviceProcess.run(type, ['--backend', 'memory:64M', '--doorbells', mode]))
  )
  try {
    const shares = await measureShares(vm, processes, options)
    return [sectionOf(vm, shares)]
  } finally {
    for (const each of processes) await each[Symbol.asyncDispose]()
  }
}

/** Percent of a core that each process used, of each repetition. */
async function measureShares (
  vm: Vm,
  processes: readonly DeviceProcess[],
  { repetitions, sliceMs }: SuiteOptions
): Promise<readonly (readonly number[])[]> {
  await using guest = await bootGuest(vm, { vfioUserSockets: processes.map(({ socket }) => socket) })
  await guest.ready()
  await delay(SETTLE_MS)
  const shares = processes.map((): number[] => [])
  for (let repetition = 0; repetition < repetitions; repetition++) {
    const before = processes.map(({ pid }) => processorTimeMs(pid))
    const startedAtMs = performance.now()
    await delay(sliceMs)
    const passedMs = performance.now() - startedAtMs
    processes.forEach(({ pid }, index) => {
      shares[index]!.push((processorTimeMs(pid) - before[index]!) / passedMs * 100)
    })
  }
  return shares
}

function sectionOf (vm: Vm, shares: readonly (readonly number[])[]): Section {
  return {
    title: 'An idle device',
    note:
      `Devices attached to a Linux guest (${vm.accelerator.toUpperCase()}) that has booted and does nothing: user ` +
      'and system time of all threads of the process of each, in percent of one core.',
    columns: ['', 'of a core, %', 'target'],
    rows: DEVICES.map(({ type, mode }, index) => ({
      name: `${type}, doorbells ${mode}`,
      cells: [spreadOf(shares[index]!), mode === 'trap' ? '< 1' : '']
    }))
  }
}
