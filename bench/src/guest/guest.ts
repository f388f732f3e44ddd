import { readdirSync, readFileSync } from 'node:fs'
import { bootGuest, ensureVm } from '@pcikit/testkit/vm'
import type { Guest, Vm } from '@pcikit/testkit/vm'
import { spreadOf } from '../measure/spread.js'
import type { Section } from '../report/section.js'
import type { Storage, SuiteOptions } from '../suite-options.js'
import { Contestants } from './contestants.js'
import type { Contestant } from './contestants.js'
import { nameOf, runFio } from './fio.js'
import type { FioJob, FioResult } from './fio.js'
import { guestSections } from './guest-sections.js'

const DEFAULT_JOBS: readonly FioJob[] = [1, 32].flatMap(queueDepth =>
  (['randread', 'randwrite'] as const).map(pattern => ({ pattern, blockSize: '4k' as const, queueDepth }))
)
const WARM_UP: FioJob = { pattern: 'randrw', blockSize: '4k', queueDepth: 1 }
const WARM_UPS = 3
const ALL_JOBS: readonly FioJob[] = (['4k', '128k'] as const).flatMap(blockSize =>
  [1, 8, 32, 128].flatMap(queueDepth =>
    (['randread', 'randwrite', 'randrw', 'read', 'write'] as const).map(pattern => ({ pattern, blockSize, queueDepth }))
  )
)

/** What each contestant came to in each job. */
export type GuestResults = ReadonlyMap<string, ReadonlyMap<string, readonly FioResult[]>>

/** The part "guest". */
export async function measureGuest (options: SuiteOptions): Promise<Section[]> {
  const vm = await ensureVm({ log: message => console.error(message) })
  const sections: Section[] = []
  for (const storage of options.storages) {
    for (const cpus of options.guestCpus) sections.push(...await measureOne(vm, storage, cpus, options))
  }
  return sections
}

async function measureOne (vm: Vm, storage: Storage, cpus: number, options: SuiteOptions): Promise<Section[]> {
  const results = new Map<string, Map<string, FioResult[]>>()
  for (let guest = 0; guest < options.guests; guest++) await measureInGuest({ vm, storage, cpus, results }, options)
  return guestSections(results, { storage, cpus, guests: options.guests, accelerator: vm.accelerator })
}

/** Boots a guest, measures all jobs in it, and adds what came of them to the results. */
async function measureInGuest (
  { vm, storage, cpus, results }: {
    readonly vm: Vm
    readonly storage: Storage
    readonly cpus: number
    readonly results: Map<string, Map<string, FioResult[]>>
  },
  options: SuiteOptions
): Promise<void> {
  await using contestants = await Contestants.start(vm, storage, cpus)
  const { list } = contestants
  await using guest = await bootGuest(vm, {
    cpus,
    vfioUserSockets: list.flatMap(({ socket }) => socket ?? []),
    qemuArguments: list.flatMap(({ qemuArguments }) => qemuArguments)
  })
  await guest.ready()
  const paths = await findDisks(guest, list)
  const qemuPid = findChild(list.find(({ socket }) => socket !== undefined)!.socket!)
  const disks = list.map(({ name, pid }) => ({ path: paths.get(name)!, pid }))
  const place = { guest, jobs: cpus, qemuPid }
  // The engine finds out what to compile, which takes a core from the guest.
  await runFio(place, disks, WARM_UP, { ...options, repetitions: WARM_UPS })
  for (const job of options.isFull ? ALL_JOBS : DEFAULT_JOBS) {
    const figures = await runFio(place, disks, job, options)
    const ofJob = results.get(nameOf(job)) ?? new Map<string, FioResult[]>()
    results.set(nameOf(job), ofJob)
    for (const [index, { name }] of list.entries()) {
      ofJob.set(name, [...ofJob.get(name) ?? [], ...figures[index]!])
    }
    const medians = list.map(({ name }, index) =>
      `${name} ${Math.round(spreadOf(figures[index]!.map(({ iops }) => iops)).median)}`
    )
    console.log(`  ${nameOf(job)}: ${medians.join(', ')}`)
  }
}

/** The block device of each contestant, by its serial number; the one without is what is left. */
async function findDisks (guest: Guest, list: readonly Contestant[]): Promise<Map<string, string>> {
  const script = 'for d in /sys/block/nvme*n* /sys/block/vd*; do ' +
    'echo "$(basename $d) $(cat $d/serial 2>/dev/null || cat $d/device/serial 2>/dev/null)"; done'
  const disks = (await guest.check(script)).trim().split('\n').map(line => line.trim().split(/\s+/))
  const paths = new Map<string, string>()
  for (const { name, serial } of list) {
    const known = disks.find(([, found]) => serial !== '' && found === serial)
    const left = disks.find(([, found]) => !list.some(each => each.serial === found))
    const disk = known ?? left
    if (disk === undefined) throw new Error(`The guest does not see the disk of "${name}".`)
    paths.set(name, `/dev/${disk[0]}`)
  }
  return paths
}

/** The process of ours that was started with this word somewhere in its arguments. */
function findChild (word: string): number {
  for (const entry of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    try {
      const parent = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${entry}/status`, 'utf8'))?.[1]
      if (Number(parent) !== process.pid) continue
      const words = readFileSync(`/proc/${entry}/cmdline`, 'utf8')
      if (words.includes(word) && words.includes('qemu-system')) return Number(entry)
    } catch {
      // It ended meanwhile.
    }
  }
  throw new Error('QEMU is not to be found among the processes.')
}
