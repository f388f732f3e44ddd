import { setImmediate as immediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { PollLoop } from '../src/poll-loop.js'
import type { PollTargets } from '../src/poll-loop.js'

const TURN_MS = 2

let nowMs: number
let loop: PollLoop | undefined

beforeEach(() => {
  nowMs = 1000
  loop = undefined
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
})
afterEach(() => {
  loop?.stop()
  vi.restoreAllMocks()
})

/** The scans of the first turn, each of which takes some time. */
async function firstTurn (scanMs: number, hasWork: (scans: number) => boolean): Promise<number> {
  let scans = 0
  const targets: PollTargets = {
    scan: () => {
      nowMs += scanMs
      return hasWork(++scans)
    },
    poll: () => false,
    end: () => loop!.stop()
  }
  loop = new PollLoop(targets, { turnMs: TURN_MS, idleMs: 0, backOffMs: 1 })
  loop.start()
  await immediate()
  return scans
}

describe('a turn of a PollLoop', () => {
  it('goes on while there is work, however long that takes, until the event loop has its turn', async () => {
    const scans = await firstTurn(0.03, () => true)
    expect(nowMs - 1000).toBeGreaterThanOrEqual(TURN_MS)
    expect(scans * 0.03).toBeLessThan(2 * TURN_MS)
  })

  it('ends a moment after the last work', async () => {
    const scans = await firstTurn(0.0001, scan => scan <= 3)
    expect(nowMs - 1000).toBeGreaterThanOrEqual(0.05)
    expect(nowMs - 1000).toBeLessThan(TURN_MS / 2)
    expect(scans).toBeGreaterThan(100)
  })

  it('ends a moment after its begin where there is no work', async () => {
    await firstTurn(0.0001, () => false)
    expect(nowMs - 1000).toBeLessThan(TURN_MS / 2)
  })

  it('lets who is asked for answers wait only after scans without work, and where it is the only one', async () => {
    const times = { turnMs: TURN_MS, idleMs: 0, backOffMs: 1 }
    const step = (): void => {
      nowMs += 0.001
    }
    const idle: PollTargets = {
      scan: () => {
        step()
        return false
      },
      poll: () => false
    }
    const ask = async (): Promise<boolean[]> => {
      const told: boolean[] = []
      let scans = 0
      loop = new PollLoop({
        scan: () => {
          step()
          return ++scans === 20
        },
        poll: mayWait => told.push(mayWait) === 3
      }, times)
      loop.start()
      await immediate()
      loop.stop()
      return told.slice(0, 3)
    }
    const other = new PollLoop(idle, times)
    other.start()
    expect(new Set(await ask())).toEqual(new Set([false]))
    other.stop()
    expect(await ask()).toEqual([true, false, true])
  })

  it('looks for answers between its scans, and ends with the first', async () => {
    const order: string[] = []
    loop = new PollLoop({
      begin: () => order.push('begin'),
      scan: () => {
        order.push('scan')
        return false
      },
      poll: () => {
        order.push('poll')
        return true
      },
      end: () => {
        order.push('end')
        loop!.stop()
      }
    }, { turnMs: TURN_MS, idleMs: 0, backOffMs: 1 })
    loop.start()
    await immediate()
    expect([...new Set(order)]).toEqual(['begin', 'scan', 'poll', 'end'])
    expect(order.filter(each => each === 'poll')).toEqual(['poll'])
  })
})
