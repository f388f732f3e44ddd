import { constants } from 'node:os'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  adoptEventFd,
  closeDescriptor,
  createEventFd,
  createMemoryFile,
  describeDescriptor,
  readEventFd,
  signalEventFd,
  UnixSocket,
  WOULD_BLOCK
} from '../src/index.js'

describe('an event counter', () => {
  let event: number
  beforeEach(() => {
    event = createEventFd()
  })
  afterEach(() => closeDescriptor(event))

  it('adds up signals until it is read', () => {
    expect(signalEventFd(event)).toBe(0)
    expect(signalEventFd(event, 41)).toBe(0)
    expect(readEventFd(event)).toBe(42)
    expect(readEventFd(event)).toBe(WOULD_BLOCK)
  })

  it('starts with the count it was made with', () => {
    const other = createEventFd(7)
    expect(readEventFd(other)).toBe(7)
    closeDescriptor(other)
  })

  it('says that it is full rather than wait', () => {
    const most = 2 ** 53 - 1
    // 2048 times 2^53 is one more than a counter can hold.
    const results = Array.from({ length: 2049 }, () => signalEventFd(event, most))
    expect(results[0]).toBe(0)
    expect(results.at(-1)).toBe(WOULD_BLOCK)
  })

  it('returns an errno when the descriptor is not open', () => {
    expect(signalEventFd(99_999)).toBe(-constants.errno.EBADF)
    expect(readEventFd(99_999)).toBe(-constants.errno.EBADF)
  })

  it('refuses a value that is no count', () => {
    expect(() => signalEventFd(event, -1)).toThrow(RangeError)
    expect(() => signalEventFd(event, 1.5)).toThrow(RangeError)
  })

  it('is adopted when it is one, and made non-blocking', () => {
    expect(() => adoptEventFd(event)).not.toThrow()
    expect(describeDescriptor(event).nonBlocking).toBe(true)
  })

  it('is refused when it is something else', () => {
    const file = createMemoryFile('eventfd', 8)
    const [near, far] = UnixSocket.pair()
    expect(() => adoptEventFd(file)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    expect(() => adoptEventFd(near.fd)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    expect(() => adoptEventFd(99_999)).toThrow(expect.objectContaining({ code: 'EBADF' }))
    closeDescriptor(file)
    near.close()
    far.close()
  })
})
