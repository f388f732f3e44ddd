import { setImmediate as immediate } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { BlindEventLoop } from '../src/event-loop.js'
import type { EventLoopView } from '../src/event-loop.js'
import { PollLoop } from '../src/poll-loop.js'
import type { PollTargets, PollTimes } from '../src/poll-loop.js'
import { TurnLoop } from '../src/turn-loop.js'

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

const TIMES = { turnMs: TURN_MS, idleMs: 0, backOffMs: 1 }

/** The scans of the first turn, each of which takes some time. */
async function firstTurn (
  scanMs: number,
  hasWork: (scans: number) => boolean,
  more: Partial<PollTargets> = {},
  eventLoop?: EventLoopView,
  times: Partial<PollTimes> = {}
): Promise<number> {
  let scans = 0
  const targets: PollTargets = {
    scan: () => {
      nowMs += scanMs
      return hasWork(++scans)
    },
    poll: () => false,
    ...more,
    end: () => loop!.stop()
  }
  loop = new PollLoop(targets, { ...TIMES, ...times }, eventLoop)
  loop.start()
  await immediate()
  return scans
}

/** An event loop whose clock is that of the test. */
function eventLoopWhere (hasEvents: () => boolean): EventLoopView {
  return {
    nowMs: 0,
    readClock () {
      Object.assign(this, { nowMs })
    },
    get hasEvents () {
      return hasEvents()
    },
    yieldProcessor: () => undefined,
    createTurn: begin => new BlindEventLoop().createTurn(begin)
  }
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
      }, TIMES)
      loop.start()
      await immediate()
      loop.stop()
      return told.slice(0, 3)
    }
    const other = new PollLoop(idle, TIMES)
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
    }, TIMES)
    loop.start()
    await immediate()
    expect([...new Set(order)]).toEqual(['begin', 'scan', 'poll', 'end'])
    expect(order.filter(each => each === 'poll')).toEqual(['poll'])
  })

  describe('where the event loop can be looked at', () => {
    const settled = { isSettled: () => true }

    it('goes on while nothing waits for the loop, but not for ever: not all is seen', async () => {
      await firstTurn(0.03, () => true, settled, eventLoopWhere(() => false))
      expect(nowMs - 1000).toBeGreaterThan(2 * TURN_MS)
      expect(nowMs - 1000).toBeLessThan(12)
    })

    it('ends in time when something waits', async () => {
      let looks = 0
      await firstTurn(0.03, () => true, settled, eventLoopWhere(() => ++looks > 1))
      expect(looks).toBe(2)
      expect(nowMs - 1000).toBeGreaterThan(2 * TURN_MS)
      expect(nowMs - 1000).toBeLessThan(3 * TURN_MS)
    })

    it('goes on without work for as long as it may be idle', async () => {
      let looks = 0
      const idleMs = 5
      const seesNothing = (): boolean => {
        looks++
        return false
      }
      await firstTurn(0.0001, () => false, settled, eventLoopWhere(seesNothing), { idleMs })
      expect(looks).toBeGreaterThan(3)
      expect(nowMs - 1000).toBeGreaterThanOrEqual(idleMs)
      expect(nowMs - 1000).toBeLessThan(idleMs + 0.5)
    })

    it('ends soon after the last work when something waits, and where something is under way', async () => {
      const seen = eventLoopWhere(() => true)
      await firstTurn(0.0001, scan => scan <= 3, settled, seen, { idleMs: 5 })
      expect(nowMs - 1000).toBeLessThan(TURN_MS / 2)
      nowMs = 1000
      const underWay = { isSettled: () => false }
      await firstTurn(0.0001, scan => scan <= 3, underWay, eventLoopWhere(() => false), { idleMs: 5 })
      expect(nowMs - 1000).toBeLessThan(TURN_MS / 2)
    })

    it('looks once when it has been idle for long', async () => {
      const turns: number[] = []
      let scans = 0
      const targets: PollTargets = {
        ...settled,
        begin: () => void (scans = 0),
        scan: () => {
          nowMs += 0.0001
          scans++
          return false
        },
        poll: () => false,
        end: () => {
          nowMs += 20
          if (turns.push(scans) === 3) loop!.stop()
        }
      }
      loop = new PollLoop(targets, { turnMs: TURN_MS, idleMs: 5, backOffMs: 1 }, eventLoopWhere(() => false))
      loop.start()
      await expect.poll(() => turns.length).toBe(3)
      expect(turns[0]).toBeGreaterThan(1000)
      expect(turns.slice(1)).toEqual([16, 16])
    })

    it('ends in time where something was under way at its begin, or is now', async () => {
      let isSettled = false
      const lateAnswer = { isSettled: () => isSettled }
      await firstTurn(0.03, () => isSettled = true, lateAnswer, eventLoopWhere(() => false))
      expect(nowMs - 1000).toBeLessThan(2 * TURN_MS)
      nowMs = 1000
      await firstTurn(0.03, () => !(isSettled = false), lateAnswer, eventLoopWhere(() => false))
      expect(nowMs - 1000).toBeLessThan(2 * TURN_MS)
    })

    it('ends in time where others have turns, of either kind', async () => {
      const idle = (): boolean => {
        nowMs += 0.001
        return false
      }
      const other = new PollLoop({ scan: idle, poll: () => false }, { ...TIMES, backOffMs: 1000 })
      other.start()
      await firstTurn(0.03, () => true, settled, eventLoopWhere(() => false))
      expect(nowMs - 1000).toBeLessThan(2 * TURN_MS)
      other.stop()
      nowMs = 1000
      const trapped = new TurnLoop({ run: () => false, poll: () => false, isWaiting: () => false })
      const begin = (): void => trapped.schedule()
      await firstTurn(0.03, () => true, { ...settled, begin }, eventLoopWhere(() => false))
      expect(nowMs - 1000).toBeLessThan(2 * TURN_MS)
      await immediate()
    })
  })
})
