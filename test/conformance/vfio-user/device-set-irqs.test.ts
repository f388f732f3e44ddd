import {
  closeDescriptor,
  createEventFd,
  createMemoryFile,
  readEventFd,
  signalEventFd,
  UnixSocket
} from '@pcikit/native'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DEVICE_SET_IRQS, EINVAL, ERROR, join, message, NO_REPLY, RawClient, REPLY, words } from '../raw-client.js'
import { descriptorCount, startServer } from '../test-server.js'
import type { TestServer } from '../test-server.js'

const NONE = 1
const BOOL = 2
const EVENTFD = 4
const MASK = 8
const UNMASK = 16
const TRIGGER = 32

const INTX = 0
const MSI = 1
const MSIX = 2
const ERR = 3
const REQ = 4

/** A DEVICE_SET_IRQS: argsz at 0, flags at 4, index at 8, start at 12, count at 16, booleans from 20 on. */
function set (
  flags: number,
  index: number,
  start: number,
  count: number,
  { argsz, booleans = [] }: { argsz?: number, booleans?: number[] } = {}
): Uint8Array {
  return join(words(argsz ?? 20 + booleans.length, flags, index, start, count), new Uint8Array(booleans))
}

describe('DEVICE_SET_IRQS', () => {
  let server: TestServer
  let client: RawClient
  let events: number[]

  beforeEach(async () => {
    server = await startServer()
    client = await RawClient.open(server.path)
    events = [createEventFd(), createEventFd(), createEventFd()]
  })

  afterEach(async () => {
    client.close()
    events.forEach(closeDescriptor)
    await server.close()
  })

  const vector = (index: number, nth: number) => server.device.interrupts.triggers[index]![nth]

  it('gives vectors their eventfds', async () => {
    const reply = await client.request(DEVICE_SET_IRQS, set(EVENTFD | TRIGGER, MSIX, 4, 2), {
      descriptors: events.slice(0, 2)
    })

    expect(reply).toMatchObject({ command: DEVICE_SET_IRQS, size: 16, flags: REPLY, errno: 0 })
    vector(MSIX, 5)!.signal()
    expect(events.map(event => readEventFd(event))).toEqual([-11, 1, -11])
    expect(vector(MSIX, 3)).toBeUndefined()
    expect(vector(MSIX, 6)).toBeUndefined()
  })

  it('takes 16 eventfds at once', async () => {
    const descriptors = new Array<number>(16).fill(events[0]!)

    const reply = await client.request(DEVICE_SET_IRQS, set(EVENTFD | TRIGGER, MSIX, 0, 16), { descriptors })

    expect(reply.flags).toBe(REPLY)
    vector(MSIX, 15)!.signal()
    expect(readEventFd(events[0]!)).toBe(1)
  })

  it('closes the eventfd that another one replaces', async () => {
    await client.request(DEVICE_SET_IRQS, set(EVENTFD | TRIGGER, MSIX, 0, 1), { descriptors: [events[0]!] })
    const before = descriptorCount()

    await client.request(DEVICE_SET_IRQS, set(EVENTFD | TRIGGER, MSIX, 0, 1), { descriptors: [events[1]!] })

    expect(descriptorCount()).toBe(before)
    vector(MSIX, 0)!.signal()
    expect(events.map(event => readEventFd(event))).toEqual([-11, 1, -11])
  })

  it('without eventfds takes those of the range away, and closes them', async () => {
    const before = descriptorCount()
    await client.request(DEVICE_SET_IRQS, set(EVENTFD | TRIGGER, MSIX, 0, 3), { descriptors: events })

    const reply = await client.request(DEVICE_SET_IRQS, set(EVENTFD | TRIGGER, MSIX, 0, 2))

    expect(reply.flags).toBe(REPLY)
    expect([vector(MSIX, 0), vector(MSIX, 1)]).toEqual([undefined, undefined])
    expect(vector(MSIX, 2)).toBeDefined()
    expect(descriptorCount()).toBe(before + 1)
  })

  it('with a count of 0 takes all of a kind away', async () => {
    await client.request(DEVICE_SET_IRQS, set(EVENTFD | TRIGGER, INTX, 0, 1), { descriptors: [events[0]!] })
    await client.request(DEVICE_SET_IRQS, set(EVENTFD | TRIGGER, MSIX, 14, 2), { descriptors: events.slice(0, 2) })

    const reply = await client.request(DEVICE_SET_IRQS, set(NONE | TRIGGER, MSIX, 0, 0))

    expect(reply.flags).toBe(REPLY)
    expect([vector(MSIX, 14), vector(MSIX, 15)]).toEqual([undefined, undefined])
    expect(vector(INTX, 0)).toBeDefined()
  })

  it('with a count of 0 lifts the masks of that kind', async () => {
    await client.request(DEVICE_SET_IRQS, set(NONE | TRIGGER, INTX, 0, 0))

    expect(server.device.interrupts.calls).toEqual(['unmask 0 0 1'])
  })

  it('with a count of 0 for a kind that the device does not have succeeds', async () => {
    expect(await client.request(DEVICE_SET_IRQS, set(NONE | TRIGGER, MSI, 0, 0))).toMatchObject({ flags: REPLY })
  })

  it('triggers a range', async () => {
    await client.request(DEVICE_SET_IRQS, set(EVENTFD | TRIGGER, MSIX, 0, 3), { descriptors: events })

    const reply = await client.request(DEVICE_SET_IRQS, set(NONE | TRIGGER, MSIX, 1, 2))

    expect(reply.flags).toBe(REPLY)
    expect(events.map(event => readEventFd(event))).toEqual([-11, 1, 1])
  })

  it('triggers where a boolean is true', async () => {
    await client.request(DEVICE_SET_IRQS, set(EVENTFD | TRIGGER, MSIX, 0, 3), { descriptors: events })

    const reply = await client.request(DEVICE_SET_IRQS, set(BOOL | TRIGGER, MSIX, 0, 3, { booleans: [1, 0, 1] }))

    expect(reply.flags).toBe(REPLY)
    expect(events.map(event => readEventFd(event))).toEqual([1, -11, 1])
  })

  it('gives errors and requests their eventfds', async () => {
    await client.request(DEVICE_SET_IRQS, set(EVENTFD | TRIGGER, ERR, 0, 1), { descriptors: [events[0]!] })
    await client.request(DEVICE_SET_IRQS, set(EVENTFD | TRIGGER, REQ, 0, 1), { descriptors: [events[1]!] })

    vector(REQ, 0)!.signal()
    expect(events.map(event => readEventFd(event))).toEqual([-11, 1, -11])
  })

  it('masks and unmasks', async () => {
    await client.request(DEVICE_SET_IRQS, set(NONE | MASK, MSIX, 2, 3))
    await client.request(DEVICE_SET_IRQS, set(BOOL | UNMASK, MSIX, 2, 3, { booleans: [0, 1, 1] }))
    await client.request(DEVICE_SET_IRQS, set(NONE | UNMASK, INTX, 0, 1))

    expect(server.device.interrupts.calls)
      .toEqual(['mask 2 2 3', 'unmask 2 3 1', 'unmask 2 4 1', 'unmask 0 0 1'])
  })

  // Deviation: the specification has the server signal these; VFIO has the client, and so does KVM through QEMU.
  it('unmasks when the client signals the eventfd for it', async () => {
    const request = set(EVENTFD | UNMASK, INTX, 0, 1)
    const reply = await client.request(DEVICE_SET_IRQS, request, { descriptors: [events[0]!] })

    expect(reply.flags).toBe(REPLY)
    signalEventFd(events[0]!)
    await vi.waitFor(() => {
      expect(server.device.interrupts.calls).toEqual(['unmask 0 0 1'])
    })
  })

  it('closes the eventfds for masking with the set-up, and with the client', async () => {
    const before = descriptorCount()
    const unmask = set(EVENTFD | UNMASK, INTX, 0, 1)
    await client.request(DEVICE_SET_IRQS, unmask, { descriptors: [events[0]!] })
    await client.request(DEVICE_SET_IRQS, set(EVENTFD | MASK, MSIX, 0, 2), { descriptors: events.slice(1) })
    await client.request(DEVICE_SET_IRQS, unmask, { descriptors: [events[1]!] })
    expect(descriptorCount()).toBe(before + 3)

    await client.request(DEVICE_SET_IRQS, set(NONE | TRIGGER, INTX, 0, 0))
    await client.request(DEVICE_SET_IRQS, set(EVENTFD | MASK, MSIX, 0, 1))
    expect(descriptorCount()).toBe(before + 1)

    client.close()
    client = await RawClient.open(server.path)
    expect(descriptorCount()).toBe(before)
  })

  it('has its eventfds closed when the client goes', async () => {
    const before = descriptorCount()
    await client.request(DEVICE_SET_IRQS, set(EVENTFD | TRIGGER, MSIX, 0, 3), { descriptors: events })

    client.close()
    client = await RawClient.open(server.path)

    expect(descriptorCount()).toBe(before)
    expect(vector(MSIX, 0)).toBeUndefined()
  })

  it.each([
    ['no payload', words()],
    ['a short payload', words(0, 0)],
    ['an argsz that is too small', set(NONE | TRIGGER, REQ, 0, 0, { argsz: 3 })],
    ['an argsz larger than the payload', set(NONE | TRIGGER, REQ, 0, 0, { argsz: 21 })],
    ['a kind out of range', set(NONE | TRIGGER, 5, 0, 0)],
    ['two actions', set(NONE | MASK | UNMASK, MSIX, 0, 1)],
    ['no action', set(NONE, MSIX, 0, 1)],
    ['two kinds of data', set(NONE | BOOL | MASK, MSIX, 0, 1, { booleans: [1] })],
    ['no kind of data', set(MASK, MSIX, 0, 1)],
    ['flags that nobody knows', set(NONE | TRIGGER | 64, MSIX, 0, 1)],
    ['a range past the end', set(NONE | MASK, MSIX, 15, 2)],
    ['a start past the end', set(NONE | MASK, MSIX, 17, 1)],
    ['a range that wraps around', set(NONE | MASK, MSIX, 1, 0xffff_ffff)],
    ['a range of a kind that is not there', set(NONE | TRIGGER, MSI, 0, 1)],
    ['masking errors', set(NONE | MASK, ERR, 0, 1)],
    ['unmasking requests', set(NONE | UNMASK, REQ, 0, 1)],
    ['two errors', set(NONE | TRIGGER, ERR, 0, 2)],
    ['two requests', set(NONE | TRIGGER, REQ, 0, 2)],
    ['a count of 0 with a start', set(NONE | TRIGGER, MSIX, 1, 0)],
    ['a count of 0 that masks', set(NONE | MASK, MSIX, 0, 0)],
    ['a count of 0 with booleans', set(BOOL | TRIGGER, MSIX, 0, 0)],
    ['a count of 0 with eventfds', set(EVENTFD | TRIGGER, MSIX, 0, 0)],
    ['too few booleans', set(BOOL | TRIGGER, MSIX, 0, 2, { booleans: [1] })],
    ['too many booleans', set(BOOL | TRIGGER, MSIX, 0, 2, { booleans: [1, 1, 1] })]
  ])('refuses %s and changes nothing', async (_what, payload) => {
    await client.request(DEVICE_SET_IRQS, set(EVENTFD | TRIGGER, MSIX, 0, 3), { descriptors: events })

    const reply = await client.request(DEVICE_SET_IRQS, payload)

    expect(reply).toMatchObject({ command: DEVICE_SET_IRQS, size: 16, flags: REPLY | ERROR, errno: EINVAL })
    expect(server.device.interrupts.calls).toEqual([])
    expect(events.map(event => readEventFd(event))).toEqual([-11, -11, -11])
  })

  it.each([
    ['eventfds with no data', set(NONE | TRIGGER, MSIX, 0, 1), 1],
    ['eventfds with booleans', set(BOOL | TRIGGER, MSIX, 0, 1, { booleans: [0] }), 1],
    ['fewer eventfds than vectors', set(EVENTFD | TRIGGER, MSIX, 0, 2), 1],
    ['more eventfds than vectors', set(EVENTFD | TRIGGER, MSIX, 0, 1), 2],
    ['eventfds past the end', set(EVENTFD | TRIGGER, MSIX, 15, 2), 2],
    ['eventfds for a count of 0', set(EVENTFD | TRIGGER, MSIX, 0, 0), 1],
    ['an eventfd to mask errors with', set(EVENTFD | MASK, ERR, 0, 1), 1]
  ])('refuses %s, and closes them', async (_what, payload, count) => {
    const before = descriptorCount()

    const reply = await client.request(DEVICE_SET_IRQS, payload, { descriptors: events.slice(0, count) })

    expect(reply).toMatchObject({ size: 16, flags: REPLY | ERROR, errno: EINVAL })
    expect(descriptorCount()).toBe(before)
  })

  it('refuses descriptors that are not eventfds, and closes them', async () => {
    const [near, far] = UnixSocket.pair()
    const file = createMemoryFile('not an event', 4096)
    const before = descriptorCount()

    const request = set(EVENTFD | TRIGGER, MSIX, 0, 2)
    const withSocket = await client.request(DEVICE_SET_IRQS, request, { descriptors: [events[0]!, near.fd] })
    const withFile = await client.request(DEVICE_SET_IRQS, request, { descriptors: [events[0]!, file] })

    expect([withSocket.errno, withFile.errno]).toEqual([EINVAL, EINVAL])
    expect(descriptorCount()).toBe(before)
    expect(vector(MSIX, 0)).toBeUndefined()
    near.close()
    far.close()
    closeDescriptor(file)
  })

  it('signals an eventfd that is full without waiting', async () => {
    await client.request(DEVICE_SET_IRQS, set(EVENTFD | TRIGGER, MSIX, 0, 1), { descriptors: [events[0]!] })
    while (signalEventFd(events[0]!, Number.MAX_SAFE_INTEGER) === 0);
    while (signalEventFd(events[0]!, 2 ** 32) === 0);
    while (signalEventFd(events[0]!) === 0);

    vector(MSIX, 0)!.signal()

    expect(await client.request(DEVICE_SET_IRQS, set(NONE | TRIGGER, MSIX, 0, 1))).toMatchObject({ flags: REPLY })
  })

  it('keeps the descriptors of pipelined requests apart', async () => {
    for (const nth of [0, 1, 2]) {
      const bytes = message(DEVICE_SET_IRQS, set(EVENTFD | TRIGGER, MSIX, nth, 1), { id: nth, flags: NO_REPLY })
      client.send(bytes, [events[nth]!])
    }

    await client.request(DEVICE_SET_IRQS, set(NONE | TRIGGER, MSIX, 1, 1))

    expect(events.map(event => readEventFd(event))).toEqual([-11, 1, -11])
  })
})
