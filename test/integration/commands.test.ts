import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AdminOpcode, DataBuffer, FeatureId, LogPage, NvmeStatusCode, pattern, statusCode } from '@pcikit/testkit'
import type { IoQueue } from '@pcikit/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { attachGuest, BLOCK_BYTES, Cleanup, createFolder, serve } from './testbed.js'
import type { Guest } from './testbed.js'

const cleanup = new Cleanup()
afterEach(() => cleanup.run())

const BLOCK_COUNT = 4 * 1024 * 1024 / BLOCK_BYTES

async function start (options: Record<string, unknown> = {}): Promise<{ guest: Guest, queue: IoQueue }> {
  const { path } = await serve(cleanup, options)
  const guest = await attachGuest(cleanup, path)
  await guest.driver.enable()
  await guest.driver.admin.setQueueCount(4)
  return { guest, queue: await guest.driver.createQueuePair({ id: 1, depth: 32 }) }
}

describe('I/O commands', () => {
  it('write zeroes', async () => {
    const { queue } = await start()
    await queue.writeBytes(1, 0, BLOCK_BYTES, pattern(4 * BLOCK_BYTES, 1))
    await queue.writeZeroes({ nsid: 1, slba: 1, blockCount: 2 }, { deallocate: true })
    const found = await queue.readBytes(1, 0, BLOCK_BYTES, 4 * BLOCK_BYTES)
    const expected = pattern(4 * BLOCK_BYTES, 1).fill(0, BLOCK_BYTES, 3 * BLOCK_BYTES)
    expect(Buffer.compare(found, expected)).toBe(0)
  })

  it('deallocate ranges, which read as zeroes, and leave the rest', async () => {
    const { guest, queue } = await start()
    const bytes = pattern(64 * 1024, 2)
    await queue.writeBytes(1, 0, BLOCK_BYTES, bytes)
    await queue.deallocate(1, [{ slba: 0, blockCount: 16 }, { slba: 64, blockCount: 32 }])
    const found = await queue.readBytes(1, 0, BLOCK_BYTES, bytes.length)
    bytes.fill(0, 0, 16 * BLOCK_BYTES).fill(0, 64 * BLOCK_BYTES, 96 * BLOCK_BYTES)
    expect((await guest.driver.admin.identifyNamespace(1)).dlfeat & 7).toBe(1)
    expect(Buffer.compare(found, bytes)).toBe(0)
  })

  it('refuse what lies past the end, and leave the last block alone', async () => {
    const { guest, queue } = await start()
    const buffer = DataBuffer.contiguous(guest.memory, 2 * BLOCK_BYTES)
    const last = { nsid: 1, slba: BLOCK_COUNT - 1, buffer }
    await queue.write({ ...last, blockCount: 1 })
    const beyond = await queue.submitTransfer(1, { ...last, blockCount: 2 })
    const far = await queue.submitTransfer(2, { nsid: 1, slba: 2 ** 52, blockCount: 1, buffer })
    expect([statusCode(beyond), statusCode(far)])
      .toEqual([NvmeStatusCode.LBA_OUT_OF_RANGE, NvmeStatusCode.LBA_OUT_OF_RANGE])
  })

  it('refuse a namespace that is not active, and one that cannot be', async () => {
    const { guest, queue } = await start()
    const buffer = DataBuffer.contiguous(guest.memory, BLOCK_BYTES)
    const inactive = await queue.submitTransfer(2, { nsid: 9, slba: 0, blockCount: 1, buffer })
    const invalid = await queue.submitTransfer(2, { nsid: 0xffff_fff0, slba: 0, blockCount: 1, buffer })
    expect(statusCode(inactive)).toBe(NvmeStatusCode.INVALID_FIELD)
    expect(statusCode(invalid)).toBe(NvmeStatusCode.INVALID_NAMESPACE)
  })

  it('refuse a transfer that is longer than MDTS', async () => {
    const { guest, queue } = await start({ maxTransfer: 65536 })
    const buffer = DataBuffer.contiguous(guest.memory, 128 * 1024)
    const completion = await queue.submitTransfer(2, { nsid: 1, slba: 0, blockCount: 256, buffer })
    expect((await guest.driver.admin.identifyController()).mdts).toBe(4)
    expect(statusCode(completion)).toBe(NvmeStatusCode.INVALID_FIELD)
  })

  it('flush', async () => {
    const { queue } = await start()
    await queue.writeBytes(1, 0, BLOCK_BYTES, pattern(BLOCK_BYTES, 3))
    await expect(queue.flush(1)).resolves.toBeUndefined()
    await expect(queue.flush(0xffff_ffff)).resolves.toBeUndefined()
  })

  it('do not write to a read-only file, and read it', async () => {
    const file = join(createFolder(cleanup), 'disk.img')
    writeFileSync(file, pattern(64 * 1024, 5))
    const { guest, queue } = await start({ backends: [`file:${file},readonly`] })
    const buffer = DataBuffer.contiguous(guest.memory, BLOCK_BYTES)
    const refused = await queue.submitTransfer(1, { nsid: 1, slba: 0, blockCount: 1, buffer })
    const found = await queue.readBytes(1, 0, BLOCK_BYTES, 64 * 1024)
    expect(statusCode(refused)).not.toBe(NvmeStatusCode.SUCCESS)
    expect(Buffer.compare(found, pattern(64 * 1024, 5))).toBe(0)
    expect(Buffer.compare(readFileSync(file), pattern(64 * 1024, 5))).toBe(0)
  })
})

describe('features', () => {
  it('keep what was set, until the controller is reset', async () => {
    const { guest } = await start()
    const { admin } = guest.driver
    const byDefault = await admin.getFeature(FeatureId.TEMPERATURE_THRESHOLD)
    await admin.setFeature(FeatureId.TEMPERATURE_THRESHOLD, 0x160)
    const changed = await admin.getFeature(FeatureId.TEMPERATURE_THRESHOLD)
    await guest.driver.enable()
    expect(changed).toBe(0x160)
    expect(await admin.getFeature(FeatureId.TEMPERATURE_THRESHOLD)).toBe(byDefault)
  })

  it('grant no more queues than there are', async () => {
    const { path } = await serve(cleanup, { queues: 3 })
    const guest = await attachGuest(cleanup, path)
    await guest.driver.enable()
    expect(await guest.driver.admin.setQueueCount(16)).toEqual({ submission: 3, completion: 3 })
  })
})

describe('logs', () => {
  it('count what was read and written', async () => {
    const { guest, queue } = await start()
    const read = async (): Promise<DataView> => {
      const data = await guest.driver.admin.getLogPage({ lid: LogPage.HEALTH, byteLength: 512 })
      return new DataView(data.buffer, data.byteOffset)
    }
    const before = (await read()).getUint32(80, true)
    await queue.writeBytes(1, 0, BLOCK_BYTES, pattern(BLOCK_BYTES, 4))
    await queue.readBytes(1, 0, BLOCK_BYTES, BLOCK_BYTES)
    const after = await read()
    expect(after.getUint32(80, true)).toBe(before + 1)
    expect(after.getUint32(64, true)).toBeGreaterThanOrEqual(1)
    expect(after.getUint8(0)).toBe(0)
  })

  it('can be read in parts', async () => {
    const { guest } = await start()
    const { admin } = guest.driver
    const whole = await admin.getLogPage({ lid: LogPage.COMMAND_EFFECTS, byteLength: 4096 })
    const part = await admin.getLogPage({ lid: LogPage.COMMAND_EFFECTS, byteLength: 1024, offset: 1024 })
    expect(Buffer.compare(part, whole.subarray(1024, 2048))).toBe(0)
  })
})

describe('asynchronous events and Abort', () => {
  it('let a request for an event wait, and be aborted', async () => {
    const { guest } = await start()
    const { admin } = guest.driver
    let cid = -1
    const waiting = admin.submit({ opcode: AdminOpcode.ASYNC_EVENT_REQUEST }, { cid: 0x1234, timeoutMs: 0 })
    void waiting.then(completion => {
      cid = completion.cid
    })
    const identity = await admin.identifyController()
    const before = cid
    const aborted = await admin.abort(0, 0x1234)
    const completion = await waiting
    expect(before).toBe(-1)
    expect(identity.aerl).toBeGreaterThanOrEqual(0)
    expect(aborted.dw0 & 1).toBe(0)
    expect(statusCode(completion)).toBe(NvmeStatusCode.ABORTED)
  })

  it('take no more requests for events than they said', async () => {
    const { guest } = await start()
    const { admin } = guest.driver
    const { aerl } = await admin.identifyController()
    const waiting = Array.from({ length: aerl + 1 }, () => admin.asyncEvent().catch((error: unknown) => error))
    const tooMany = await admin.asyncEvent()
    guest.driver.abandon('The test is over.')
    await Promise.all(waiting)
    expect(statusCode(tooMany)).toBe(NvmeStatusCode.ASYNC_EVENT_LIMIT_EXCEEDED)
  })

  it('report a doorbell value that cannot be', async () => {
    const { guest, queue } = await start()
    const event = guest.driver.admin.asyncEvent()
    await queue.submission.ring(500)
    const completion = await event
    expect(completion.dw0 & 7).toBe(0)
    expect((completion.dw0 >>> 8) & 0xff).toBe(1)
  })

  it('do not stop the commands after one that was aborted in vain', async () => {
    const { guest, queue } = await start()
    const aborted = await guest.driver.admin.abort(1, 77)
    await queue.flush(1)
    expect(aborted.dw0 & 1).toBe(1)
  })
})
