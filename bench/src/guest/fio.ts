import type { Guest } from '@pcikit/testkit/vm'
import { inTurn } from '../measure/interleave.js'
import { processorTimeMs } from '../measure/processor.js'
import { DISK_MIB } from './contestants.js'

/** What fio does. */
export interface FioJob {
  readonly pattern: 'randread' | 'randwrite' | 'randrw' | 'read' | 'write'
  readonly blockSize: '4k' | '128k'
  readonly queueDepth: number
}

export function nameOf ({ pattern, blockSize, queueDepth }: FioJob): string {
  return `${pattern} ${blockSize}, ${queueDepth} deep`
}

/** What a slice came to. */
export interface FioResult {
  readonly iops: number
  /** Percentiles in microseconds. */
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly interruptsPerCommand: number
  /** Of a core, in percent: user and system time of fio in the guest, QEMU, and the process of the device. */
  readonly guestCpu: number
  readonly qemuCpu: number
  readonly deviceCpu: number | undefined
}

/** A disk that fio works on. */
export interface FioDisk {
  /** `/dev/nvme0n1`, for example. */
  readonly path: string
  /** The process that serves it, when that is not QEMU. */
  readonly pid: number | undefined
}

/** Where fio runs. */
export interface FioPlace {
  readonly guest: Guest
  /** How many jobs at once. */
  readonly jobs: number
  readonly qemuPid: number
}

interface Direction {
  readonly iops: number
  readonly total_ios: number
  readonly clat_ns: { readonly percentile?: Readonly<Record<string, number>> }
}

interface FioOutput {
  readonly jobs: readonly {
    readonly read: Direction
    readonly write: Direction
    readonly usr_cpu: number
    readonly sys_cpu: number
  }[]
}

/** What was counted when a slice began. */
interface Mark {
  readonly atMs: number
  readonly interrupts: number
  readonly commands: number
  readonly qemuMs: number
  /** For each disk. */
  readonly deviceMs: readonly (number | undefined)[]
}

/** Fractions of seconds would count as none. */
const RAMP_MS = 100
/** A slice takes so much longer than it measures. */
const SLICE_EXTRA_MS = 2000
const START_MS = 60_000
const JOB_FILE = '/tmp/bench.fio'
const MARK_SCRIPT = '/tmp/pcikit-mark'
/** Says on the console which slice begins, and how many interrupts and commands there were before. */
const MARK = [
  '#!/bin/sh',
  "i=$(awk '/nvme|virtio|req/ { for (i = 2; i <= NF; i++) if ($i ~ /^[0-9]+$/) n += $i } END { print n + 0 }' \\",
  '  /proc/interrupts)',
  "c=$(cat /sys/block/nvme*n*/stat /sys/block/vd*/stat | awk '{ n += $1 + $5 } END { print n + 0 }')",
  'echo "pcikit-slice $1 $i $c." > /dev/console'
]

/**
 * Runs a job on all disks in turn, again and again, in one process of fio: an emulated guest translates a new process
 * anew, which takes longer than a slice. Returns what each disk came to in each repetition; a first one does not count.
 */
export async function runFio (
  place: FioPlace,
  disks: readonly FioDisk[],
  job: FioJob,
  { repetitions, sliceMs }: { readonly repetitions: number, readonly sliceMs: number }
): Promise<FioResult[][]> {
  const order = slicesOf(disks.length, 1 + repetitions)
  const lines = jobFile(place, disks, job, order, sliceMs)
  await writeFile(place.guest, MARK_SCRIPT, MARK)
  await writeFile(place.guest, JOB_FILE, lines)
  const limitMs = START_MS + order.length * (sliceMs + SLICE_EXTRA_MS)
  // It says which scripts it runs before it says what came of them.
  const command = `cd /tmp && fio --output-format=json ${JOB_FILE} 2>/dev/null | sed -n '/^{/,$p'`
  const running = place.guest.check(command, limitMs)
  // What it fails with is thrown below.
  running.catch(() => undefined)
  const marks: Mark[] = []
  for (let slice = 0; slice <= order.length; slice++) marks.push(await mark(place, disks, slice, limitMs))
  const { jobs } = JSON.parse(await running) as FioOutput
  const results = disks.map((): FioResult[] => [])
  for (const [slice, disk] of order.entries()) {
    if (slice < disks.length) continue
    const [from, to] = [marks[slice]!, marks[slice + 1]!]
    results[disk]!.push(resultOf(jobs[slice]!, { from, to, disk, jobs: place.jobs }))
  }
  return results
}

/** Which disk has its turn in each slice. The order is reversed from one repetition to the next. */
function slicesOf (disks: number, repetitions: number): number[] {
  const order = Array.from({ length: disks }, (_, disk) => disk)
  return Array.from({ length: repetitions }, (_, repetition) => inTurn(order, repetition)).flat()
}

function jobFile (
  place: FioPlace,
  disks: readonly FioDisk[],
  job: FioJob,
  order: readonly number[],
  sliceMs: number
): string[] {
  const slice = (index: number, disk: number): string[] => [
    `[slice${index}]`,
    'stonewall',
    `filename=${disks[disk]!.path}`,
    `exec_prerun=${MARK_SCRIPT} ${index}`
  ]
  return [
    ...['[global]', 'ioengine=libaio', 'direct=1', 'thread', 'group_reporting', 'norandommap', 'randrepeat=0'],
    ...[`rw=${job.pattern}`, `bs=${job.blockSize}`, `iodepth=${job.queueDepth}`, `numjobs=${place.jobs}`],
    ...[`size=${DISK_MIB}m`, 'time_based', `runtime=${sliceMs}ms`, `ramp_time=${RAMP_MS}ms`],
    'percentile_list=50:99:99.9',
    ...order.flatMap((disk, index) => slice(index, disk)),
    // Tells of the end of the last slice.
    ...[...slice(order.length, 0), 'rw=read', 'time_based=0', 'ramp_time=0', 'io_size=4k', 'bs=4k']
  ]
}

/** Waits for a slice to begin, and counts. */
async function mark (
  { guest, qemuPid }: FioPlace,
  disks: readonly FioDisk[],
  slice: number,
  limitMs: number
): Promise<Mark> {
  const found = await guest.waitFor(new RegExp(String.raw`pcikit-slice ${slice} (\d+) (\d+)\.`), limitMs)
  return {
    atMs: performance.now(),
    interrupts: Number(found[1]),
    commands: Number(found[2]),
    qemuMs: processorTimeMs(qemuPid),
    deviceMs: disks.map(({ pid }) => pid === undefined ? undefined : processorTimeMs(pid))
  }
}

function resultOf (
  { read, write, usr_cpu: user, sys_cpu: system }: FioOutput['jobs'][number],
  { from, to, disk, jobs }: { readonly from: Mark, readonly to: Mark, readonly disk: number, readonly jobs: number }
): FioResult {
  const { percentile = {} } = (read.total_ios > write.total_ios ? read : write).clat_ns
  const microseconds = (share: string): number => (percentile[share] ?? NaN) / 1000
  const percent = (timeMs: number): number => timeMs / (to.atMs - from.atMs) * 100
  const deviceMs = to.deviceMs[disk]
  return {
    iops: read.iops + write.iops,
    p50: microseconds('50.000000'),
    p99: microseconds('99.000000'),
    p999: microseconds('99.900000'),
    interruptsPerCommand: (to.interrupts - from.interrupts) / (to.commands - from.commands),
    guestCpu: (user + system) * jobs,
    qemuCpu: percent(to.qemuMs - from.qemuMs),
    deviceCpu: deviceMs === undefined ? undefined : percent(deviceMs - from.deviceMs[disk]!)
  }
}

async function writeFile (guest: Guest, path: string, lines: readonly string[]): Promise<void> {
  // A command has to fit into what a terminal takes at once.
  await guest.check(`: > ${path}; chmod +x ${path}`)
  for (let index = 0; index < lines.length; index += 20) {
    const words = lines.slice(index, index + 20).map(line => `'${line.replaceAll("'", String.raw`'\''`)}'`)
    await guest.check(`printf '%s\\n' ${words.join(' ')} >> ${path}`)
  }
}
