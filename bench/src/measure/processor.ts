import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'

/** What the figures were taken on. */
export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly node: string
  /** The load of the last minute, over the number of cores, when the run began. Above 0.2 do not trust the figures. */
  readonly loadBefore: number
}

export function describeMachine (): Machine {
  const load = Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0])
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    loadBefore: Math.round(load / cpus().length * 100) / 100
  }
}

/** Two cores: one for the load, one for the device. Undefined where there is one only, or no `taskset`. */
export interface Cores {
  readonly load: number
  readonly device: number
}

/** The cores that this process may run on, as taskset writes them. */
export function allowedCores (): string {
  return /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''
}

/** Moves this process to some cores. What it starts from then on runs there too. */
export function moveTo (cores: string): void {
  execFileSync('taskset', ['-acp', cores, String(process.pid)], { stdio: 'ignore' })
}

/** Finds two cores that this process may run on, and moves it to the first. */
export function takeCores (): Cores | undefined {
  const allowed = allowedCores()
  const list = allowed.split(',').flatMap(range => {
    const [first = NaN, last = first] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, index) => first + index)
  })
  const [load, device] = [list.at(0), list.at(-1)]
  if (load === undefined || device === undefined || load === device) return undefined
  try {
    moveTo(String(load))
    return { load, device }
  } catch {
    return undefined
  }
}

/** The words that start a program on a core. */
export function onCore (core: number | undefined): readonly string[] {
  return core === undefined ? [] : ['taskset', '-c', String(core)]
}

const NANOSECONDS_PER_MS = 1e6
/** What /proc counts processor time in. Always a hundredth of a second towards programs. */
const MS_PER_TICK = 10

/** How much processor time all threads of a process have used, in milliseconds. */
export function processorTimeMs (pid: number): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    const times = threads.map(thread =>
      Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0])
    )
    return times.reduce((sum, time) => sum + time, 0) / NANOSECONDS_PER_MS
  } catch {
    // The kernel keeps no such statistics, or a thread just ended: what the process used in ticks.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
    return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK
  }
}
