import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ManualClock } from '../../src/index.js'

describe('ManualClock', () => {
  let clock: ManualClock
  beforeEach(() => {
    clock = ManualClock.install()
  })
  afterEach(() => clock[Symbol.dispose]())

  it('has timers go off at their moments, in order', async () => {
    const log: string[] = []
    const note = (what: string): void => void log.push(`${what} at ${clock.passedMs}`)
    setTimeout(note, 30, 'late')
    setTimeout(note, 10, 'early')
    setTimeout(note, 10, 'early too')
    await clock.advance(9)
    expect(log).toEqual([])
    await clock.advance(91)
    expect(log).toEqual(['early at 10', 'early too at 10', 'late at 30'])
    expect(clock.passedMs).toBe(100)
  })

  it('has timers go off that others set, also by way of promises', async () => {
    const log: number[] = []
    const again = async (): Promise<void> => {
      log.push(clock.passedMs)
      await Promise.resolve()
      setTimeout(() => void again(), 10)
    }
    setTimeout(() => void again(), 10)
    await clock.advance(35)
    expect(log).toEqual([10, 20, 30])
  })

  it('repeats intervals until they are cleared', async () => {
    let count = 0
    const interval = setInterval(() => {
      if (++count === 3) clearInterval(interval)
    }, 10)
    await clock.advance(1000)
    expect(count).toBe(3)
    expect(clock.timerCount).toBe(0)
  })

  it('clears, refreshes and unrefs timers', async () => {
    const log: string[] = []
    clearTimeout(setTimeout(() => log.push('cleared'), 10))
    const refreshed = setTimeout(() => log.push('refreshed'), 10).unref()
    await clock.advance(9)
    refreshed.refresh()
    await clock.advance(9)
    expect(log).toEqual([])
    await clock.advance(1)
    expect(log).toEqual(['refreshed'])
  })

  it('tells its time to whoever asks', async () => {
    const before = [performance.now(), Date.now()]
    await clock.advance(60_000)
    expect([performance.now(), Date.now()]).toEqual(before.map(value => value + 60_000))
  })

  it('leaves the event loop alone', async () => {
    await delay(1)
    await new Promise(resolve => setImmediate(resolve))
    expect(clock.passedMs).toBe(0)
  })

  it('gives time back its course, and lets its own timers be', async () => {
    let wentOff = false
    setTimeout(() => {
      wentOff = true
    }, 1)
    clock[Symbol.dispose]()
    await new Promise(resolve => setTimeout(resolve, 2))
    expect(wentOff).toBe(false)
  })
})
