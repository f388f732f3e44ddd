import { DmaFault } from '@pcikit/core'
import type { DmaSpace, FaultPolicy } from '@pcikit/core'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { BlkStatus } from '../src/protocol.js'
import { StatusBytes } from '../src/status-bytes.js'
import { FakeChain } from './fakes/fake-chain.js'
import { FakeSpace } from './fakes/harness.js'

const GRACE_MS = 2000

function build (faultPolicy: FaultPolicy = 'fault') {
  const space = new FakeSpace()
  const failures: string[] = []
  const dma = space as unknown as DmaSpace
  const fail = (reason: string): number => failures.push(reason)
  return { space, failures, bytes: new StatusBytes({ dma, faultPolicy, graceMs: GRACE_MS, fail }) }
}

function awayChain (fault: DmaFault | Promise<DmaFault> = DmaFault.UNMAPPED): FakeChain {
  const chain = new FakeChain({ writableBytes: 9 })
  chain.writable.copyFault = () => fault
  return chain
}

function bringBack (chain: FakeChain, space: FakeSpace): void {
  chain.writable.copyFault = () => DmaFault.NONE
  space.mapped()
  vi.runAllTicks()
  vi.advanceTimersByTime(0)
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('StatusBytes', () => {
  it('puts the status last, and counts it', () => {
    const { bytes } = build()
    const chain = new FakeChain({ writableBytes: 9 })
    bytes.tell(chain, BlkStatus.UNSUPP, 8)
    expect([...chain.writable.bytes]).toEqual([...new Array<number>(8).fill(0xcc), 2])
    expect(chain.written).toBe(9)
  })

  it('waits for memory that is only moving', () => {
    const { bytes, space, failures } = build()
    const chain = awayChain()
    bytes.tell(chain, BlkStatus.IOERR, 0)
    expect([chain.written, bytes.waitingCount]).toEqual([undefined, 1])
    bringBack(chain, space)
    expect([chain.status, chain.written, bytes.waitingCount]).toEqual([1, 1, 0])
    vi.advanceTimersByTime(2 * GRACE_MS)
    expect(failures).toEqual([])
  })

  it('goes on waiting where other memory came', () => {
    const { bytes, space } = build()
    const chain = awayChain()
    bytes.tell(chain, BlkStatus.OK, 0)
    space.mapped()
    vi.advanceTimersByTime(0)
    expect([chain.written, bytes.waitingCount]).toEqual([undefined, 1])
  })

  it('waits for memory that a message does not reach', async () => {
    const { bytes, space } = build()
    const chain = awayChain(Promise.resolve(DmaFault.PEER_FAILED))
    bytes.tell(chain, BlkStatus.OK, 8)
    await vi.advanceTimersByTimeAsync(0)
    expect(bytes.waitingCount).toBe(1)
    bringBack(chain, space)
    expect([chain.status, chain.written]).toEqual([0, 9])
  })

  it('gives up with a device that needs a reset, never with a status that is not there', () => {
    const { bytes, failures } = build()
    const chain = awayChain()
    bytes.tell(chain, BlkStatus.OK, 8)
    vi.advanceTimersByTime(GRACE_MS - 1)
    expect(failures).toEqual([])
    vi.advanceTimersByTime(1)
    expect([failures.length, chain.written]).toEqual([1, 0])
  })

  it('gives up at once with the policy fatal', () => {
    const { bytes, failures } = build('fatal')
    const chain = awayChain()
    bytes.tell(chain, BlkStatus.OK, 8)
    expect([failures.length, chain.written]).toEqual([1, 0])
  })

  it.each(['fault', 'fatal'] as const)('runs no time while bus mastering is off, policy %s', policy => {
    const { bytes, space, failures } = build(policy)
    const chain = awayChain(DmaFault.BUS_MASTER_OFF)
    space.isBusMaster = false
    bytes.tell(chain, BlkStatus.OK, 8)
    vi.advanceTimersByTime(2 * GRACE_MS)
    expect([failures, chain.written]).toEqual([[], undefined])
    space.isBusMaster = true
    bringBack(chain, space)
    expect([chain.status, chain.written]).toEqual([0, 9])
  })

  it('loses no status while bus mastering is off and writes vanish', () => {
    const { bytes, space } = build('drop')
    const chain = new FakeChain({ writableBytes: 9 })
    space.isBusMaster = false
    bytes.tell(chain, BlkStatus.OK, 8)
    expect([chain.status, chain.written]).toEqual([0xcc, undefined])
    space.isBusMaster = true
    bringBack(chain, space)
    expect([chain.status, chain.written]).toEqual([0, 9])
  })

  it('runs no time while the client is gone', () => {
    const { bytes, failures } = build()
    bytes.tell(awayChain(), BlkStatus.OK, 8)
    bytes.clientGone()
    vi.advanceTimersByTime(2 * GRACE_MS)
    expect(failures).toEqual([])
  })

  it('tells nothing of a chain that was reset', () => {
    const { bytes } = build()
    const [dead, waiting] = [new FakeChain({}), awayChain()]
    dead.isLive = false
    bytes.tell(dead, BlkStatus.OK, 0)
    bytes.tell(waiting, BlkStatus.OK, 0)
    waiting.isLive = false
    bytes.reset()
    expect([dead.written, dead.status, waiting.written]).toEqual([0, 0xcc, 0])
  })

  it('keeps nobody waiting once it is closed', () => {
    const { bytes, space } = build()
    const [before, after] = [awayChain(), new FakeChain({})]
    bytes.tell(before, BlkStatus.OK, 0)
    bytes.close()
    bytes.tell(after, BlkStatus.OK, 0)
    space.mapped()
    expect([before.written, after.written]).toEqual([0, 0])
  })
})
