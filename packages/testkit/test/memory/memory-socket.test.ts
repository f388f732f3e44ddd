import { once } from 'node:events'
import { EventEmitter } from 'node:events'
import { closeDescriptor, createEventFd, readEventFd, signalEventFd, WOULD_BLOCK } from '@pcikit/native'
import { afterEach, describe, expect, it } from 'vitest'
import { MemoryListener, MemorySocket } from '../../src/index.js'

const EPIPE = -32
const owned: number[] = []
afterEach(() => owned.splice(0).forEach(closeDescriptor))

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const send = (socket: MemorySocket, data: Uint8Array, descriptors?: readonly number[]): number =>
  socket.send(data, 0, data.length, descriptors)

/** What one receive gives: the bytes, or the errno, and how many descriptors. */
function receive (socket: MemorySocket, length = 16): { data: number[] | number, descriptors: number } {
  const target = new Uint8Array(length)
  const descriptors: number[] = []
  const count = socket.receive(target, 0, length, descriptors)
  owned.push(...descriptors)
  return { data: count < 0 ? count : [...target.subarray(0, count)], descriptors: descriptors.length }
}

function createEvent (): number {
  const event = createEventFd()
  owned.push(event)
  return event
}

describe('MemorySocket', () => {
  it('carries a stream of bytes, however it was cut', () => {
    const [near, far] = MemorySocket.pair()
    send(near, bytes(1, 2, 3))
    send(near, bytes(4, 5))
    expect(receive(far, 4).data).toEqual([1, 2, 3, 4])
    expect(receive(far).data).toEqual([5])
    expect(receive(far).data).toBe(WOULD_BLOCK)
  })

  it('keeps nothing of the buffer that was sent', () => {
    const [near, far] = MemorySocket.pair()
    const data = bytes(1, 2)
    send(near, data)
    data.fill(9)
    expect(receive(far).data).toEqual([1, 2])
  })

  it('takes what it has room for, and more when some was received', () => {
    const [near, far] = MemorySocket.pair(4)
    expect(send(near, bytes(1, 2, 3, 4, 5, 6))).toBe(4)
    expect(send(near, bytes(5, 6))).toBe(WOULD_BLOCK)
    receive(far, 1)
    expect(send(near, bytes(5, 6))).toBe(1)
    expect(receive(far).data).toEqual([2, 3, 4, 5])
  })

  it('gives descriptors with the first of their bytes, and ends there', () => {
    const [near, far] = MemorySocket.pair()
    send(near, bytes(1))
    send(near, bytes(2, 3), [createEvent(), createEvent()])
    send(near, bytes(4))
    expect(receive(far)).toEqual({ data: [1, 2, 3], descriptors: 2 })
    expect(receive(far)).toEqual({ data: [4], descriptors: 0 })
  })

  it('passes descriptors of its own for the same thing', () => {
    const [near, far] = MemorySocket.pair()
    const event = createEventFd()
    send(near, bytes(1), [event])
    signalEventFd(event)
    closeDescriptor(event)
    receive(far)
    expect(readEventFd(owned.at(-1) ?? -1)).toBe(1)
  })

  it('ends for the other side behind what was sent', () => {
    const [near, far] = MemorySocket.pair()
    send(near, bytes(1))
    near.close()
    expect(receive(far).data).toEqual([1])
    expect(receive(far).data).toEqual([])
    expect(send(far, bytes(2))).toBe(EPIPE)
  })

  it('calls back for as long as there is a reason, in a turn of its own', async () => {
    const [near, far] = MemorySocket.pair()
    const turns = new EventEmitter()
    const seen: number[][] = []
    far.onReadable(() => {
      seen.push(receive(far, 2).data as number[])
      if (seen.length === 2) turns.emit('done')
    })
    const done = once(turns, 'done')
    send(near, bytes(1, 2, 3))
    expect(seen).toEqual([])
    await done
    expect(seen).toEqual([[1, 2], [3]])
  })

  it('tells when there is room again', async () => {
    const [near, far] = MemorySocket.pair(2)
    const turns = new EventEmitter()
    send(near, bytes(1, 2))
    near.onWritable(() => {
      near.onWritable(undefined)
      turns.emit('room')
    })
    const room = once(turns, 'room')
    receive(far)
    await room
    expect(send(near, bytes(3))).toBe(1)
  })
})

describe('MemoryListener', () => {
  it('tells of each connection, also of those from before it was asked', async () => {
    const listener = new MemoryListener()
    const turns = new EventEmitter()
    const client = listener.connect()
    const accepted: MemorySocket[] = []
    listener.onReadable(() => {
      const socket = listener.accept()
      if (socket !== undefined) accepted.push(socket)
      if (accepted.length === 2) turns.emit('both')
    })
    const both = once(turns, 'both')
    listener.connect()
    await both
    send(client, bytes(7))
    expect(accepted.map(socket => receive(socket).data)).toEqual([[7], WOULD_BLOCK])
  })

  it('lets nobody in once it is closed', () => {
    const listener = new MemoryListener()
    const client = listener.connect()
    listener.close()
    expect(receive(client).data).toEqual([])
    expect(() => listener.connect()).toThrow('closed')
  })
})
