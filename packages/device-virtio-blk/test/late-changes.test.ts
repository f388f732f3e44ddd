import { DmaFault } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { BlkStatus, RequestType } from '../src/protocol.js'
import { FakeChain } from './fakes/fake-chain.js'
import { Harness, nextTurn, requestBytes, segments } from './fakes/harness.js'
import { closeGate, RecordingBackend } from './fakes/recording-backend.js'

const { IN, OUT, DISCARD, FLUSH } = RequestType
const block = (value: number): Uint8Array => new Uint8Array(512).fill(value)

/** A disk whose back end is stuck with one request. */
function stuck (options: Record<string, unknown> = {}) {
  const backend = new RecordingBackend()
  const disk = new Harness(backend, { options })
  const gate = closeGate(backend)
  const send = (type: number, sector: number, slot: number): FakeChain =>
    type === IN ?
      disk.send({ type, sector }, 512, { slot }) :
      disk.send({ type, sector, data: type === DISCARD ? segments([sector, 2]) : block(slot) }, 0, { slot })
  return { backend, disk, send, ...gate }
}

describe('a request whose memory is taken away in its back end', () => {
  it.each([IN, OUT])('ends at once, type %i', type => {
    const { send } = stuck()
    const chain = send(type, 8, 0)
    const { lease } = type === IN ? chain.writable : chain.readable
    lease.revoke()
    expect([chain.status, chain.written, lease.isOpen]).toEqual([BlkStatus.IOERR, 1, true])
  })

  it('leaves its lease to the back end, and its record to another request', async () => {
    const { send, release, reopen } = stuck()
    const chain = send(IN, 8, 0)
    const { lease } = chain.writable
    lease.revoke()
    reopen()
    const next = send(IN, 16, 0)
    expect([next.status, next.written]).toEqual([0, 513])
    release()
    await nextTurn()
    expect([lease.isOpen, lease.commitCount, chain.written, next.written]).toEqual([false, 0, 1, 513])
  })

  it('holds what touches the blocks that it may still write, until the back end answers', async () => {
    const { backend, send, release, reopen } = stuck()
    const late = send(OUT, 8, 1)
    late.readable.lease.revoke()
    reopen()
    const held = [send(OUT, 8, 2), send(IN, 8, 3), send(DISCARD, 7, 4)]
    const others = [send(OUT, 9, 5), send(IN, 7, 6)]
    expect(held.map(chain => chain.written)).toEqual([undefined, undefined, undefined])
    expect(others.map(chain => chain.status)).toEqual([0, 0])
    release()
    await Promise.all(held.map(chain => chain.completed))
    expect(backend.calls).toEqual(['write 8 1', 'write 9 1', 'read 7 1', 'write 8 1', 'read 8 1', 'discard 7 2'])
  })

  it('holds nothing where it only reads', () => {
    const { send, reopen } = stuck()
    send(IN, 8, 0).writable.lease.revoke()
    reopen()
    expect(send(OUT, 8, 1).status).toBe(BlkStatus.OK)
  })

  it('lets flushes through', () => {
    const { disk, send, reopen } = stuck()
    send(OUT, 8, 0).readable.lease.revoke()
    reopen()
    expect(disk.send({ type: FLUSH }, 0, { slot: 1 }).status).toBe(BlkStatus.OK)
  })

  it('is told nothing more, and frees its blocks, when the back end fails at last', async () => {
    const { backend, disk, send, reopen } = stuck()
    let fail: (error: Error) => void = () => undefined
    backend.gate = new Promise((_, reject) => {
      fail = reject
    })
    const late = send(OUT, 8, 0)
    late.readable.lease.revoke()
    reopen()
    const held = send(IN, 8, 1)
    fail(new Error('EFAULT'))
    await held.completed
    expect([late.written, held.status, disk.failures]).toEqual([1, 0, []])
  })
})

describe('a reset', () => {
  /** What the transport does to the chains of queues that are reset. */
  function kill (...chains: readonly FakeChain[]): void {
    for (const chain of chains) chain.isLive = false
  }

  it.each([OUT, DISCARD])('makes late what the back end is still at work on, type %i', async type => {
    const { disk, send, release, reopen } = stuck()
    const before = send(type, 8, 0)
    kill(before)
    disk.model.reset()
    reopen()
    const held = send(OUT, 8, 0)
    const free = send(OUT, 20, 1)
    expect([held.written, free.status, before.written]).toEqual([undefined, 0, undefined])
    release()
    await held.completed
    expect([held.status, before.written]).toEqual([0, 0])
    expect(disk.backend.bytesAt(8)).toEqual(block(0))
  })

  it('ends what is held, and tells nobody', async () => {
    const { disk, backend, send, release, reopen } = stuck()
    const late = send(OUT, 8, 0)
    late.readable.lease.revoke()
    reopen()
    const held = send(OUT, 8, 1)
    kill(held)
    disk.model.reset()
    expect(held.written).toBe(0)
    release()
    await nextTurn()
    expect(backend.calls).toEqual(['write 8 1'])
  })

  it('lets a chain go whose memory is revoked after it', () => {
    const { disk, send } = stuck()
    const chain = send(OUT, 8, 0)
    kill(chain)
    disk.model.reset()
    expect(chain.written).toBe(undefined)
    chain.readable.lease.revoke()
    expect([chain.written, chain.status]).toEqual([0, 0xcc])
  })

  it('does not begin what waits for its data', async () => {
    const { disk, backend, reopen } = stuck()
    reopen()
    let answer: (fault: DmaFault) => void = () => undefined
    const chain = new FakeChain({ readable: requestBytes({ type: OUT, data: block(1) }) })
    chain.readable.lease.fetchFault = new Promise(resolve => {
      answer = resolve
    })
    disk.take(chain)
    kill(chain)
    disk.model.reset()
    answer(DmaFault.NONE)
    await chain.completed
    expect([chain.written, backend.calls]).toEqual([0, []])
  })
})
