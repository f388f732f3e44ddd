import { closeDescriptor, createEventFd, duplicateDescriptor, UnixSocket, WOULD_BLOCK } from '@pcikit/native'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Outgoing } from '../src/outgoing.js'
import type { Cargo } from '../src/outgoing.js'
import { descriptorCount, drain, join, message } from './wire-bytes.js'

describe('Outgoing', () => {
  let near: UnixSocket
  let far: UnixSocket
  let outgoing: Outgoing

  beforeEach(() => {
    ;[near, far] = UnixSocket.pair()
    outgoing = new Outgoing()
  })

  afterEach(() => {
    outgoing.close()
    near.close()
    far.close()
  })

  const add = (bytes: Uint8Array, cargo?: Cargo): void => {
    const position = outgoing.reserve(bytes.length)
    outgoing.bytes.set(bytes, position)
    outgoing.commit(bytes.length, cargo)
  }

  it('sends what was added, in order', () => {
    const messages = [message(1, [1], { id: 1 }), message(2, [], { id: 2 }), message(3, [3, 3], { id: 3 })]
    messages.forEach(bytes => add(bytes))

    expect(outgoing.flush(near)).toBe(0)
    expect(drain(far)).toEqual(join(...messages))
    expect(outgoing.pendingBytes).toBe(0)
  })

  it('sends nothing of a message that was only reserved', () => {
    outgoing.reserve(100)

    expect(outgoing.flush(near)).toBe(0)
    expect(drain(far)).toHaveLength(0)
  })

  it('keeps what the socket does not take, and sends it later', () => {
    const messages = Array.from({ length: 40 }, (_, id) => message(9, new Array<number>(30_000).fill(id), { id }))
    messages.forEach(bytes => add(bytes))

    expect(outgoing.flush(near)).toBe(WOULD_BLOCK)
    const parts = [drain(far)]
    while (outgoing.flush(near) === WOULD_BLOCK) parts.push(drain(far))
    parts.push(drain(far))

    expect(Buffer.compare(join(...parts), join(...messages))).toBe(0)
  })

  it('takes more while a part waits', () => {
    const large = message(9, new Array<number>(500_000).fill(7), { id: 1 })
    add(large)
    expect(outgoing.flush(near)).toBe(WOULD_BLOCK)
    const small = Array.from({ length: 100 }, (_, id) => message(9, [id], { id }))
    small.forEach(bytes => add(bytes))

    const parts = [drain(far)]
    while (outgoing.flush(near) === WOULD_BLOCK) parts.push(drain(far))
    parts.push(drain(far))

    expect(Buffer.compare(join(...parts), join(large, ...small))).toBe(0)
  })

  it('puts at most 16 KiB of several messages in one piece, which the kernel never splits', () => {
    const messages = Array.from({ length: 30 }, (_, id) => message(9, new Array<number>(1000).fill(id), { id }))
    messages.forEach(bytes => add(bytes))
    const sizes: number[] = []
    const spy = {
      send: (bytes: Uint8Array, offset: number, length: number): number => {
        sizes.push(length)
        return near.send(bytes, offset, length)
      }
    }

    expect(outgoing.flush(spy as UnixSocket)).toBe(0)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(16 << 10)
    expect(sizes.every(size => size % 1016 === 0)).toBe(true)
  })

  it('finds the start of the next message after a part of one was sent', () => {
    const messages = [1, 2, 3].map(id => message(9, new Array<number>(100).fill(id), { id }))
    messages.forEach(bytes => add(bytes))
    const sent: number[][] = []
    const miser = {
      send: (bytes: Uint8Array, offset: number, length: number): number => {
        const taken = Math.min(length, 50)
        sent.push([...bytes.subarray(offset, offset + taken)])
        return taken
      }
    }

    expect(outgoing.flush(miser as UnixSocket)).toBe(0)
    expect(sent.flat()).toEqual([...join(...messages)])
  })

  it('sends a message with descriptors alone, and the descriptors once', () => {
    const event = createEventFd()
    const before = descriptorCount()
    add(message(1))
    add(message(2), { descriptors: [event], isOwned: false })
    add(message(3))

    expect(outgoing.flush(near)).toBe(0)
    const pieces = [1, 2, 3].map(() => {
      const descriptors: number[] = []
      const bytes = new Uint8Array(16)
      far.receive(bytes, 0, 16, descriptors)
      descriptors.forEach(closeDescriptor)
      return [bytes[2], descriptors.length]
    })

    expect(pieces).toEqual([[1, 0], [2, 1], [3, 0]])
    expect(descriptorCount()).toBe(before)
    closeDescriptor(event)
  })

  it('closes descriptors that it owns, sent or not', () => {
    const event = createEventFd()
    const before = descriptorCount()
    add(message(1), { descriptors: [duplicateDescriptor(event)], isOwned: true })
    outgoing.flush(near)
    add(message(2), { descriptors: [duplicateDescriptor(event)], isOwned: true })
    outgoing.close()
    const received: number[] = []
    drain(far, received)
    received.forEach(closeDescriptor)

    expect(received).toHaveLength(1)
    expect(descriptorCount()).toBe(before)
    closeDescriptor(event)
  })

  it('tells the errno when the other side is gone', () => {
    far.close()
    add(message(1))

    expect(outgoing.flush(near)).toBe(-32)
  })
})
