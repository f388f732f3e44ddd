import { ratioOf, spreadOf } from '../measure/spread.js'
import { formatNumber } from '../report/format.js'
import type { Cell, Section } from '../report/section.js'
import type { Storage } from '../suite-options.js'
import {
  NVME_MMAP,
  NVME_TRAP,
  QEMU_NVME,
  QEMU_VIRTIO,
  STORAGE_DAEMON,
  VIRTIO_MMAP,
  VIRTIO_TRAP
} from './contestants.js'
import type { FioResult } from './fio.js'
import type { GuestResults } from './guest.js'

/** In what circumstances the results were taken. */
export interface GuestCircumstances {
  readonly storage: Storage
  readonly cpus: number
  /** How many were booted one after the other. */
  readonly guests: number
  readonly accelerator: string
}

const STORAGE_NAMES: Readonly<Record<Storage, string>> = {
  memory: 'a file in memory',
  file: 'a file on a disk, in the page cache',
  null: 'nothing: reads are zeroes, writes are forgotten'
}
/** What is compared with what, and the least that it should be. */
const RATIOS = [
  [NVME_TRAP, QEMU_NVME, '1.2'],
  [NVME_TRAP, QEMU_VIRTIO, '1'],
  [NVME_TRAP, STORAGE_DAEMON, ''],
  [NVME_MMAP, QEMU_NVME, ''],
  [NVME_MMAP, QEMU_VIRTIO, ''],
  [VIRTIO_TRAP, QEMU_VIRTIO, '1'],
  [VIRTIO_TRAP, STORAGE_DAEMON, ''],
  [VIRTIO_MMAP, QEMU_VIRTIO, '']
] as const

export function guestSections (results: GuestResults, circumstances: GuestCircumstances): Section[] {
  const { storage, cpus, guests, accelerator } = circumstances
  const where = `${STORAGE_NAMES[storage]}, ${cpus} vCPU${cpus > 1 ? 's' : ''}`
  const setting =
    `fio (libaio, direct) in a Linux guest (${accelerator.toUpperCase()}), ${cpus} vCPU and as many jobs, ` +
    `all disks attached at once, each on ${STORAGE_NAMES[storage]}. One process of fio works on one disk after the ` +
    `other, for a moment each, again and again. Repeated in ${guests} guests, booted one after the other.`
  const jobs = [...results.keys()]
  const names = [...results.get(jobs[0]!)!.keys()]
  const ratios = RATIOS.filter(([name, other]) => names.includes(name) && names.includes(other))
  const table = (cell: (runs: readonly FioResult[]) => Cell): Section['rows'] =>
    jobs.map(job => ({ name: job, cells: names.map(name => cell(results.get(job)!.get(name)!)) }))
  const rates = (job: string, name: string): number[] => results.get(job)!.get(name)!.map(({ iops }) => iops)
  return [
    {
      title: `Commands in a second in a guest: ${where}`,
      note: setting,
      columns: ['job', ...names],
      rows: table(runs => spreadOf(runs.map(({ iops }) => iops))),
      chart: { columns: names.map((_, index) => index + 1), axis: 'commands in a second' }
    },
    {
      title: `Ratios in a guest: ${where}`,
      note: 'Commands in a second of one over those of the other, taken one after the other.',
      columns: ['job', ...ratios.map(([name, other, least]) => `${name} / ${other}${least && ` (target ≥ ${least})`}`)],
      rows: jobs.map(job => ({
        name: job,
        cells: ratios.map(([name, other]) => ratioOf(rates(job, name), rates(job, other)))
      }))
    },
    {
      title: `Latency in a guest: ${where}`,
      note: 'As fio saw it in the same runs: p50 / p99 / p99.9, in microseconds, each the median of the repetitions.',
      columns: ['job', ...names],
      rows: table(runs => medians(runs, ['p50', 'p99', 'p999']))
    },
    {
      title: `Interrupts and processor time in a guest: ${where}`,
      note:
        'In the same runs: interrupts for each command; then percent of a core of fio in the guest / of QEMU / of ' +
        'the process that serves the disk, where that is not QEMU.',
      columns: ['job', ...names],
      rows: table(runs =>
        `${medians(runs, ['interruptsPerCommand'])}; ${medians(runs, ['guestCpu', 'qemuCpu', 'deviceCpu'])}`
      )
    }
  ]
}

function medians (runs: readonly FioResult[], fields: readonly (keyof FioResult)[]): string {
  return fields.map(field => {
    const values = runs.flatMap(run => run[field] ?? [])
    return values.length === 0 ? '-' : formatNumber(spreadOf(values).median)
  }).join(' / ')
}
