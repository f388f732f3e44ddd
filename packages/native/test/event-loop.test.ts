import { stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { EventLoop, UnixSocket } from '../src/index.js'

/** Spins until something is so, or does not become so. */
function spinUntil (isSo: () => boolean, limitMs = 2000): boolean {
  const endsAtMs = performance.now() + limitMs
  while (performance.now() < endsAtMs) if (isSo()) return true
  return false
}

/** Whether there comes a moment in which nothing waits. */
async function isQuiet (loop: EventLoop): Promise<boolean> {
  for (let turn = 0; turn < 500; turn++) {
    await delay(1)
    if (!loop.hasEvents) return true
  }
  return false
}

describe('EventLoop', () => {
  it('tells the time as it was when the clock was read', () => {
    const loop = new EventLoop()
    for (let round = 0; round < 3; round++) {
      const beforeMs = performance.now()
      loop.readClock()
      const afterMs = performance.now()
      expect(loop.nowMs).toBeGreaterThan(beforeMs - 1)
      expect(loop.nowMs).toBeLessThan(afterMs + 1)
      const { nowMs } = loop
      spinUntil(() => false, 5)
      expect(loop.nowMs).toBe(nowMs)
    }
  })

  it('sees a message of another, while it is not read', async () => {
    const loop = new EventLoop()
    const [near, far] = UnixSocket.pair()
    const target = new Uint8Array(8)
    near.onReadable(() => void near.receive(target, 0, 8))
    expect(await isQuiet(loop)).toBe(true)
    far.send(Uint8Array.of(1), 0, 1)
    expect(spinUntil(() => loop.hasEvents)).toBe(true)
    near.receive(target, 0, 8)
    expect(loop.hasEvents).toBe(false)
    near.close()
    far.close()
  })

  it('sees an answer of another thread, from within a turn that does not end', async () => {
    const loop = new EventLoop()
    expect(await isQuiet(loop)).toBe(true)
    const answer = stat('.')
    expect(spinUntil(() => loop.hasEvents)).toBe(true)
    await answer
  })

  it('sees a timer that is due, and no other', async () => {
    const loop = new EventLoop()
    expect(await isQuiet(loop)).toBe(true)
    const timer = setTimeout(() => undefined, 60_000)
    expect(loop.hasEvents).toBe(false)
    const due = delay(20)
    expect(spinUntil(() => loop.hasEvents)).toBe(true)
    await due
    clearTimeout(timer)
  })

  it('sees an immediate', async () => {
    const loop = new EventLoop()
    expect(await isQuiet(loop)).toBe(true)
    await new Promise<void>(resolve => {
      setImmediate(resolve)
      expect(loop.hasEvents).toBe(true)
    })
  })

  it('has a turn for each request that is not taken back, and none when it is closed', async () => {
    let turns = 0
    const turn = new EventLoop().createTurn(() => turns++)
    const pass = async (): Promise<number> => {
      await delay(5)
      return turns
    }
    expect(await pass()).toBe(0)
    turn.request()
    turn.request()
    expect(await pass()).toBe(1)
    turn.request()
    expect(await pass()).toBe(2)
    turn.request()
    turn.cancel()
    expect(await pass()).toBe(2)
    turn.request()
    turn.close()
    turn.close()
    expect(await pass()).toBe(2)
  })
})
