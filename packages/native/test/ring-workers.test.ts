import { readdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { closeDescriptor, createMemoryFile, IoRing } from '../src/index.js'
import { whyNoIoRing } from './why-no-io-ring.js'

const SLOTS = 16

/** Why the threads of io_uring cannot be kept on a core here. */
function whyNotKept (): string | undefined {
  if (cpus().length < 2) return 'there is one core only'
  const [major = 0, minor = 0] = readFileSync('/proc/sys/kernel/osrelease', 'utf8').split('.').map(Number)
  return major * 100 + minor < 603 ? 'the threads of io_uring cannot be moved before Linux 6.3' : undefined
}

/** The cores that each thread of io_uring may run on, as the system lists them. */
function coresOfWorkers (): string[] {
  const tasks = readdirSync('/proc/self/task').map(task => `/proc/self/task/${task}`)
  return tasks.filter(task => readFileSync(`${task}/comm`, 'utf8').startsWith('iou-wrk-')).map(coresOf)
}

function coresOf (task: string): string {
  return /^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync(`${task}/status`, 'utf8'))![1]!
}

describe('the threads of a ring', () => {
  let fd: number
  let ring: IoRing
  let answers: Float64Array

  beforeAll(() => {
    fd = createMemoryFile('pcikit-ring-workers', 4096)
  })
  afterAll(() => closeDescriptor(fd))
  beforeEach(({ skip }) => {
    const reason = whyNoIoRing() ?? whyNotKept()
    skip(reason !== undefined, reason)
    ring = IoRing.create(SLOTS)
    answers = new Float64Array(2 * SLOTS)
    return () => ring.close()
  })

  /** Has so many requests done at a time, which go to a thread on any file system. */
  function sync (count: number): void {
    for (let slot = 0; slot < count; slot++) ring.prepareSync(slot, fd)
    for (let missing = count; missing > 0;) missing -= ring.exchange(answers)
  }

  it('are kept on one core with little under way, and are let go with more', () => {
    const endsAtMs = performance.now() + 20_000
    const isKept = (): boolean => {
      const cores = coresOfWorkers()
      return cores.length > 0 && cores.every(list => /^\d+$/.test(list))
    }
    while (!isKept() && performance.now() < endsAtMs) sync(1)
    expect([isKept(), ring.areThreadsHere]).toEqual([true, true])
    sync(8)
    expect(ring.areThreadsHere).toBe(false)
    expect(coresOfWorkers()).toContain(coresOf('/proc/thread-self'))
    sync(2)
    expect(coresOfWorkers().some(list => /^\d+$/.test(list))).toBe(true)
  })
})
