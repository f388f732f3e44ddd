import { readdirSync, readlinkSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { MemoryBackend } from '../src/index.js'

/** The memory files that this process has open. */
function memoryFileCount (): number {
  return readdirSync('/proc/self/fd').map(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return ''
    }
  }).filter(target => target.includes('pcikit-block')).length
}

describe('MemoryBackend', () => {
  it('answers reads, writes, flushes and small discards at once', async () => {
    await using disk = MemoryBackend.open(1024 * 1024, { blockSize: 512 })
    const block = new Uint8Array(512)
    expect([disk.write(0, block), disk.read(0, block), disk.flush(), disk.discard(0, 1)]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined
    ])
  })

  it('takes as much memory as was written, and gives discarded memory back', async () => {
    await using disk = MemoryBackend.open(1024 ** 3, { blockSize: 512 })
    disk.write(1000, new Uint8Array(1024 * 1024).fill(1))
    const written = disk.allocatedBytes
    await disk.discard(0, disk.blockCount)
    expect(written).toBeGreaterThanOrEqual(1024 * 1024)
    expect(written).toBeLessThan(2 * 1024 * 1024)
    expect(disk.allocatedBytes).toBe(0)
  })

  it('gives everything back when it is closed', async () => {
    const before = memoryFileCount()
    const disk = MemoryBackend.open(1024 * 1024, { blockSize: 512 })
    const during = memoryFileCount()
    await disk[Symbol.asyncDispose]()
    expect([during - before, memoryFileCount() - before]).toEqual([1, 0])
  })

  it('waits for a discard in flight when it is closed', async () => {
    const disk = MemoryBackend.open(1024 * 1024, { blockSize: 512 })
    disk.write(0, new Uint8Array(1024 * 1024).fill(1))
    const events: string[] = []
    const discarded = Promise.resolve(disk.discard(0, disk.blockCount)).then(() => events.push('discarded'))
    const closed = disk[Symbol.asyncDispose]().then(() => events.push('closed'))
    await Promise.all([discarded, closed])
    expect(events).toEqual(['discarded', 'closed'])
  })

  it('refuses a size that is not whole blocks', () => {
    expect(() => MemoryBackend.open(1000, { blockSize: 512 })).toThrow('Give 512 or 1024 bytes.')
  })

  it('refuses more than it can number', () => {
    expect(() => MemoryBackend.open(2 ** 45, { blockSize: 512 })).toThrow(
      'A memory back end holds 16 TiB at most, not 32 TiB.'
    )
  })

  it('names itself when it refuses', async () => {
    await using disk = MemoryBackend.open(1024 ** 3, { blockSize: 512 })
    expect(() => disk.read(2_097_152, new Uint8Array(512))).toThrow(
      'The memory back end of 1 GiB has 2097152 blocks. Block 2097152 and the 1 from it on are not all in it.'
    )
  })
})
