import { setImmediate as immediate } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { BlindEventLoop } from '../src/event-loop.js'
import { PollLoop } from '../src/poll-loop.js'
import { TurnLoop } from '../src/turn-loop.js'
import type { TurnTargets } from '../src/turn-loop.js'

const IDLE: TurnTargets = { run: () => false, poll: () => false, isWaiting: () => false }

describe('TurnLoop', () => {
  it('does not run from within schedule, and runs once for several', async () => {
    let runs = 0
    const loop = new TurnLoop({ ...IDLE, run: () => ++runs > 0 })
    loop.schedule()
    loop.schedule()
    expect(runs).toBe(0)
    await immediate()
    expect(runs).toBe(1)
    await immediate()
    expect(runs).toBe(1)
  })

  it('does not run what was cancelled, also where it is scheduled again later', async () => {
    let runs = 0
    const loop = new TurnLoop({ ...IDLE, run: () => ++runs > 0 })
    loop.schedule()
    loop.cancel()
    await immediate()
    expect(runs).toBe(0)
    loop.schedule()
    loop.cancel()
    loop.schedule()
    await immediate()
    expect(runs).toBe(1)
  })

  it('looks on within one turn of the event loop, and gives that its turn in between', async () => {
    let runs = 0
    let isWatched = true
    const loop: TurnLoop = new TurnLoop({
      ...IDLE,
      run: () => {
        runs++
        if (isWatched) loop.schedule()
        return false
      }
    })
    loop.schedule()
    await immediate()
    expect(runs).toBeGreaterThan(1)
    const before = runs
    await immediate()
    await immediate()
    expect(runs).toBeGreaterThan(before)
    isWatched = false
    await immediate()
    await immediate()
    const after = runs
    await immediate()
    expect(runs).toBe(after)
  })

  it('gives every device its turn in each round', async () => {
    const order: string[] = []
    const loops = ['a', 'b'].map(name => {
      let left = 3
      const loop: TurnLoop = new TurnLoop({
        ...IDLE,
        run: () => {
          order.push(name)
          if (--left > 0) loop.schedule()
          return true
        }
      })
      return loop
    })
    for (const loop of loops) loop.schedule()
    while (order.length < 6) await immediate()
    expect(order.join('')).toBe('ababab')
  })

  it('leaves for the event loop after each look while it waits for others', async () => {
    let runs = 0
    let isUnderWay = true
    const loop: TurnLoop = new TurnLoop({
      run: () => {
        runs++
        if (isUnderWay) loop.schedule()
        return false
      },
      poll: () => false,
      isWaiting: () => isUnderWay
    })
    loop.schedule()
    await immediate()
    expect(runs).toBe(1)
    isUnderWay = false
    await immediate()
    expect(runs).toBe(2)
  })

  it('lets only those wait who have turns alone, and had nothing to do', async () => {
    const told: [string, boolean][] = []
    const create = (name: string, work: boolean[]): TurnLoop => {
      const loop: TurnLoop = new TurnLoop({
        run: () => {
          if (work.length > 1) loop.schedule()
          return work.shift()!
        },
        poll: mayWait => {
          told.push([name, mayWait])
          return false
        },
        isWaiting: () => true
      })
      return loop
    }
    create('alone', [true, false]).schedule()
    while (told.length < 2) await immediate()
    create('one', [false]).schedule()
    create('other', [false]).schedule()
    while (told.length < 4) await immediate()
    expect(told.splice(0)).toEqual([['alone', false], ['alone', true], ['one', false], ['other', false]])
    const polled = new PollLoop({ scan: () => false, poll: () => false }, { turnMs: 1, idleMs: 0, backOffMs: 1000 })
    polled.start()
    create('besides a polled one', [false]).schedule()
    while (told.length < 1) await immediate()
    polled.stop()
    expect(told).toEqual([['besides a polled one', false]])
  })

  it('tells the time of the turn', async () => {
    let nowMs = 0
    const before = performance.now()
    const loop: TurnLoop = new TurnLoop({
      ...IDLE,
      run: () => {
        nowMs = loop.nowMs
        return false
      }
    })
    loop.schedule()
    await immediate()
    expect(nowMs).toBeGreaterThanOrEqual(before)
    expect(nowMs).toBeLessThanOrEqual(performance.now())
  })

  it('runs what comes of an answer without waiting for the event loop', async () => {
    const order: string[] = []
    let answer: (() => void) | undefined
    let hasEnded = false
    const loop: TurnLoop = new TurnLoop({
      run: () => {
        order.push(hasEnded ? 'told' : 'asked')
        return true
      },
      poll: () => {
        const isAnswered = answer !== undefined
        answer?.()
        answer = undefined
        return isAnswered
      },
      isWaiting: () => false
    })
    const request = new Promise<void>(resolve => {
      answer = resolve
    })
    const ended = request.then(() => undefined).then(() => {
      hasEnded = true
      loop.schedule()
    })
    loop.schedule()
    setImmediate(() => order.push('event loop'))
    await ended
    await immediate()
    expect(order).toEqual(['asked', 'told', 'event loop'])
  })

  it('goes on with the others where one throws', async () => {
    let runs = 0
    const turns: (() => void)[] = []
    vi.stubGlobal('setImmediate', (turn: () => void) => turns.push(turn))
    try {
      const broken = new TurnLoop({
        ...IDLE,
        run: () => {
          throw new Error('a mistake')
        }
      })
      const sound = new TurnLoop({ ...IDLE, run: () => ++runs > 0 })
      broken.schedule()
      sound.schedule()
      expect(() => turns.shift()?.()).toThrow('a mistake')
      expect(runs).toBe(0)
      turns.shift()?.()
      expect(runs).toBe(1)
    } finally {
      vi.unstubAllGlobals()
    }
    new TurnLoop({ ...IDLE, run: () => ++runs > 0 }).schedule()
    await immediate()
    expect(runs).toBe(2)
  })

  it('has turns after a test with fake timers', async () => {
    let runs = 0
    const targets = { ...IDLE, run: () => ++runs > 0 }
    vi.useFakeTimers()
    new TurnLoop(targets).schedule()
    vi.useRealTimers()
    new TurnLoop(targets).schedule()
    await immediate()
    expect(runs).toBe(2)
  })

  it('leaves the core to others while it looks on, and keeps it for a while where they do not come back', async () => {
    const { now } = performance
    let nowMs = 1000
    let awayMs = 0.3
    const yieldedAtMs: number[] = []
    const eventLoop = Object.assign(new BlindEventLoop(), {
      yieldProcessor: () => {
        yieldedAtMs.push(nowMs)
        nowMs += awayMs
      }
    })
    performance.now = () => nowMs
    try {
      const loop: TurnLoop = new TurnLoop({
        ...IDLE,
        run: () => {
          nowMs += 0.0001
          loop.schedule()
          return false
        }
      }, eventLoop)
      loop.schedule()
      while (nowMs < 1010) await immediate()
      expect(yieldedAtMs.length).toBeGreaterThan(20)
      awayMs = 1.5
      yieldedAtMs.length = 0
      while (nowMs < 1060) await immediate()
      expect(yieldedAtMs).toHaveLength(3)
      const gapsMs = yieldedAtMs.slice(1).map((atMs, index) => atMs - yieldedAtMs[index]!)
      for (const gapMs of gapsMs) expect(gapMs).toBeGreaterThanOrEqual(20)
      loop.cancel()
    } finally {
      performance.now = now
    }
  })

  it('keeps on where the clock stands still', async () => {
    const { now } = performance
    performance.now = () => 0
    try {
      let runs = 0
      const loop: TurnLoop = new TurnLoop({
        ...IDLE,
        run: () => {
          runs++
          loop.schedule()
          return false
        }
      })
      loop.schedule()
      await immediate()
      expect(runs).toBeGreaterThan(1)
      loop.cancel()
    } finally {
      performance.now = now
    }
  })
})
