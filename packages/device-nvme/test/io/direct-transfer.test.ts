import { DmaFault, FaultPolicy } from '@pcikit/core'
import { beforeEach, describe, expect, it } from 'vitest'
import { IoOpcode } from '../../src/opcodes.js'
import { Status } from '../../src/status.js'
import { FakeBackend } from '../fakes/fake-backend.js'
import type { FakeBackendOptions } from '../fakes/fake-backend.js'
import { DATA, Harness } from '../fakes/harness.js'
import type { HarnessOptions, HostQueue } from '../fakes/harness.js'

const PAGE = 4096
/** Pages that are mapped in two pieces. */
const APART = 0x5000_0000

const data = Uint8Array.from({ length: PAGE }, (_, index) => index * 5 & 0xff)

describe.each([['a read', IoOpcode.READ], ['a write', IoOpcode.WRITE]])('%s', (_name, opcode) => {
  let backend: FakeBackend
  let harness: Harness
  let queue: HostQueue

  async function start (options: FakeBackendOptions = {}, more: HarnessOptions = {}): Promise<void> {
    backend = new FakeBackend({ isDirect: true, ...options })
    harness = new Harness({ backends: [backend], ...more })
    harness.dma.map(APART, 2048)
    harness.dma.map(APART + 2048, 2048)
    queue = await harness.start()
  }

  beforeEach(() => start())

  /** Runs the command on so many blocks from block 8 on. Tells what it came to, and how many leases it opened. */
  async function run (prp1: number, blocks: number, prp2 = 0): Promise<{ status: number, openings: number }> {
    const before = harness.dma.openings
    const { status } = await queue.run({ opcode, nsid: 1, prp1, prp2, cdw10: 8, cdw12: blocks - 1 })
    return { status, openings: harness.dma.openings - before }
  }

  it('has no lease where it lies in one page of memory that is shared', async () => {
    expect(await run(DATA, 8)).toEqual({ status: Status.SUCCESS, openings: 0 })
    expect(await run(DATA + PAGE - 512, 1)).toEqual({ status: Status.SUCCESS, openings: 0 })
  })

  it('moves its data, and touches nothing around them', async () => {
    const [from, to, at, start] = opcode === IoOpcode.READ ?
      [backend.bytes, harness.bytes, 8 * 512, DATA + 1024] :
      [harness.bytes, backend.bytes, DATA + 1024, 8 * 512]
    from.set(data.subarray(0, 1024), at)
    to.fill(0xee, start - 4, start + 1028)
    await run(DATA + 1024, 2)
    expect(to.subarray(start, start + 1024)).toEqual(data.subarray(0, 1024))
    expect([to[start - 1], to[start + 1024]]).toEqual([0xee, 0xee])
  })

  it('has one where it goes on in another page', async () => {
    expect(await run(DATA + PAGE - 512, 2, DATA)).toEqual({ status: Status.SUCCESS, openings: 1 })
  })

  it('has one where its page is in two pieces', async () => {
    expect(await run(APART, 8)).toEqual({ status: Status.SUCCESS, openings: 1 })
  })

  it('has one where the client has to be asked', async () => {
    await start({}, { isShared: false })
    expect(await run(DATA, 8)).toEqual({ status: Status.SUCCESS, openings: 1 })
  })

  it('has one, which says what is wrong, where there is no memory', async () => {
    expect(await run(0x6000_0000, 8)).toEqual({ status: Status.DATA_TRANSFER_ERROR, openings: 1 })
    expect(await run(DATA + 2, 1)).toEqual({ status: Status.PRP_OFFSET_INVALID, openings: 1 })
    expect(backend.calls).toEqual([])
  })

  it('is done again with one where the file of the client has become shorter meanwhile', async () => {
    harness.dma.peekFault = DmaFault.PAST_END_OF_FILE
    expect(await run(DATA, 8)).toEqual({ status: Status.SUCCESS, openings: 1 })
  })

  it('has one where the back end cannot answer at once', async () => {
    await start({ isDirect: false })
    expect(await run(DATA, 8)).toEqual({ status: Status.SUCCESS, openings: 1 })
  })

  it('succeeds where there is no memory and faults are dropped', async () => {
    await start({}, { faultPolicy: FaultPolicy.DROP })
    expect(await run(DATA, 8)).toMatchObject({ status: Status.SUCCESS })
    expect(await run(0x6000_0000, 8)).toMatchObject({ status: Status.SUCCESS })
    expect(backend.calls).toHaveLength(2)
  })
})
