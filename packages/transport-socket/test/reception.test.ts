import { silentLogger } from '@pcikit/core'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Reception } from '../src/reception.js'
import type { Session } from '../src/session.js'
import type { StreamListener, StreamSocket } from '../src/stream-socket.js'

/** How long another client waits for its predecessor to be seen to go. */
const GRACE_MS = 100

let reception: Reception

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(async () => {
  await reception.close()
  vi.useRealTimers()
})

/** A connection that ends when the test says so. */
class FakeSession {
  isNegotiated = true
  isEnding = false
  readonly onEnded: () => void

  constructor (onEnded: () => void) {
    this.onEnded = onEnded
  }

  start (): void {}

  async end (): Promise<void> {
    this.onEnded()
  }
}

function start () {
  const sessions: FakeSession[] = []
  const closed: number[] = []
  let count = 0
  let onReadable: (() => void) | undefined
  const listener = {
    onReadable: (listener: (() => void) | undefined) => {
      onReadable = listener
    },
    accept: () => {
      const number = count++
      return { receive: () => 0, close: () => void closed.push(number) } as Partial<StreamSocket> as StreamSocket
    },
    close: () => undefined
  } as Partial<StreamListener> as StreamListener
  const openSession = (_socket: StreamSocket, onEnded: () => void): Session => {
    const session = new FakeSession(onEnded)
    sessions.push(session)
    return session as Partial<Session> as Session
  }
  reception = new Reception(listener, openSession, silentLogger)
  reception.open()
  return { sessions, closed, connect: () => onReadable?.() }
}

describe('a client that comes while another one is served', () => {
  it('is refused where that one stays', () => {
    const { sessions, closed, connect } = start()
    connect()
    connect()
    vi.advanceTimersByTime(GRACE_MS * 2)
    expect([sessions.length, closed]).toEqual([1, [1]])
  })

  it('is let in where that one goes in time', () => {
    const { sessions, closed, connect } = start()
    connect()
    connect()
    vi.advanceTimersByTime(GRACE_MS / 2)
    sessions[0]?.onEnded()
    vi.advanceTimersByTime(GRACE_MS * 2)
    expect([sessions.length, closed]).toEqual([2, []])
  })

  it('waits for as long as it takes to clear away what that one leaves', () => {
    const { sessions, closed, connect } = start()
    connect()
    connect()
    sessions[0]!.isEnding = true
    vi.advanceTimersByTime(GRACE_MS * 20)
    expect([sessions.length, closed]).toEqual([1, []])
    sessions[0]?.onEnded()
    expect([sessions.length, closed]).toEqual([2, []])
  })

  it('is let in where the process was held up, and sees the end of that one only after its timers', async () => {
    vi.useRealTimers()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { sessions, closed, connect } = start()
    connect()
    connect()
    vi.advanceTimersByTime(GRACE_MS)
    sessions[0]!.isEnding = true
    await new Promise(resolve => setImmediate(resolve))
    sessions[0]?.onEnded()
    expect([sessions.length, closed]).toEqual([2, []])
  })
})
