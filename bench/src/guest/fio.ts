import type { Guest } from '@pcikit/testkit/vm'
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

/** What a run came to. */
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

/** Where a run takes place. */
export interface FioPlace {
  readonly guest: Guest
  /** `/dev/nvme0n1`, for example. */
  readonly path: string
  readonly jobs: number
  readonly qemuPid: number
  readonly devicePid: number | undefined
}

interface Direction {
  readonly iops: number
  readonly total_ios: number
  readonly clat_ns: { readonly percentile?: Readonly<Record<string, number>> }
}

interface FioOutput {
  readonly jobs: readonly [
    { readonly read: Direction, readonly write: Direction, readonly usr_cpu: number, readonly sys_cpu: number }
  ]
}

/** Fractions of seconds would count as none. */
const RAMP_MS = 300
const INTERRUPTS =
  "awk '/nvme|virtio|req/ { for (i = 2; i <= NF; i++) if ($i ~ /^[0-9]+$/) n += $i } END { print n + 0 }' " +
  '/proc/interrupts'

export async function runFio (place: FioPlace, job: FioJob, durationMs: number): Promise<FioResult> {
  const { guest, path, jobs, qemuPid, devicePid } = place
  const counters = async (): Promise<readonly [interrupts: number, commands: number]> => {
    const stat = `/sys/block/${path.replace('/dev/', '')}/stat`
    const text = await guest.check(`${INTERRUPTS}; awk '{ print $1 + $5 }' ${stat}`)
    const [interrupts = NaN, commands = NaN] = text.trim().split(/\s+/).map(Number)
    return [interrupts, commands]
  }
  const processorTimes = (): readonly number[] =>
    [qemuPid, ...devicePid === undefined ? [] : [devicePid]].map(processorTimeMs)
  const before = await counters()
  const timesBefore = processorTimes()
  const startedAtMs = performance.now()
  const output = await guest.check(commandOf(path, job, jobs, durationMs))
  const passedMs = performance.now() - startedAtMs
  const [qemuCpu = NaN, deviceCpu] = processorTimes().map((time, index) =>
    (time - timesBefore[index]!) / passedMs * 100
  )
  const after = await counters()
  const { read, write, usr_cpu: user, sys_cpu: system } = (JSON.parse(output) as FioOutput).jobs[0]
  const { percentile = {} } = (read.total_ios > write.total_ios ? read : write).clat_ns
  const microseconds = (share: string): number => (percentile[share] ?? NaN) / 1000
  return {
    iops: read.iops + write.iops,
    p50: microseconds('50.000000'),
    p99: microseconds('99.000000'),
    p999: microseconds('99.900000'),
    interruptsPerCommand: (after[0] - before[0]) / (after[1] - before[1]),
    guestCpu: (user + system) * jobs,
    qemuCpu,
    deviceCpu
  }
}

function commandOf (path: string, job: FioJob, jobs: number, durationMs: number): string {
  return [
    ...[`fio --name=bench --filename=${path} --ioengine=libaio --direct=1 --rw=${job.pattern} --bs=${job.blockSize}`],
    ...[`--iodepth=${job.queueDepth} --numjobs=${jobs} --group_reporting --size=${DISK_MIB}m --time_based`],
    ...[`--runtime=${durationMs}ms --ramp_time=${RAMP_MS}ms --norandommap --randrepeat=0`],
    '--percentile_list=50:99:99.9 --output-format=json 2>/dev/null'
  ].join(' ')
}
