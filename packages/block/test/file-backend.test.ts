import { execFileSync } from 'node:child_process'
import { chmod, mkdir, open as openFile, stat, truncate, writeFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { getuid } from 'node:process'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { silentLogger } from '@pcikit/core'
import { readVectorNow, writeVectorNow } from '@pcikit/native'
import { FileBackend } from '../src/index.js'
import { createScratchFolder } from './scratch-folder.js'
import type { ScratchFolder } from './scratch-folder.js'

const MIB = 1024 * 1024

/** Whether the kernel can read from the page cache alone here. */
async function canReadNow (path: string): Promise<boolean> {
  const handle = await openFile(path)
  const result = readVectorNow(handle.fd, [new Uint8Array(512)], [0], [512], 1, 0)
  await handle.close()
  return result === 512
}

/** Whether the kernel can tell here that a write does not wait. */
async function canWriteNow (path: string): Promise<boolean> {
  const handle = await openFile(path, 'r+')
  const result = writeVectorNow(handle.fd, [new Uint8Array(512)], [0], [512], 1, 0)
  await handle.close()
  return result !== -constants.errno.EOPNOTSUPP
}

describe('FileBackend', () => {
  let folder: ScratchFolder
  beforeEach(async () => {
    folder = await createScratchFolder()
  })
  afterEach(async () => {
    await folder.remove()
  })

  const open = (path: string, readOnly = false, blockSize = 512): Promise<FileBackend> =>
    FileBackend.open({ path, readOnly }, { blockSize, logger: silentLogger })

  it('writes to the file itself, at the place of the block', async () => {
    const path = await folder.file('disk.img', MIB)
    await using disk = await open(path)
    await disk.write(3, new Uint8Array(512).fill(0x41))
    expect(execFileSync('grep', ['-abo', 'AAAA', path], { encoding: 'utf8' }).split('\n')[0]).toBe('1536:AAAA')
  })

  it('reads what is in the page cache at once', async ({ skip }) => {
    const path = folder.path('disk.img')
    await writeFile(path, new Uint8Array(MIB).fill(5))
    await using disk = await open(path, true)
    skip(!(await canReadNow(path)), 'the file system of the temporary folder cannot tell what is cached')
    const target = new Uint8Array(4096)
    expect(disk.read(8, target)).toBeUndefined()
    expect(target.every(byte => byte === 5)).toBe(true)
  })

  describe('on a file system that cannot tell whether a write waits', () => {
    const page = new Uint8Array(4096).fill(6)
    let path: string
    beforeEach(async ({ skip }) => {
      path = await folder.file('disk.img', MIB)
      skip(await canWriteNow(path), 'the file system of the temporary folder can tell')
    })

    /** Writes single pages until one is over when the call returns. */
    async function isSoon (disk: FileBackend, write = () => disk.write(8, page)): Promise<boolean> {
      for (let count = 0; count < 200; count += 1) {
        const written = write()
        if (written === undefined) return true
        await written
        await new Promise(resolve => setTimeout(resolve, 1))
      }
      return false
    }

    it('has single pages written when the call returns, and together with others later', async () => {
      await using disk = await open(path)
      expect(await isSoon(disk)).toBe(true)
      const now = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 1)
      const together = [disk.write(16, page), disk.write(24, page), disk.write(32, page)]
      now.mockRestore()
      expect(together.slice(1)).not.toContain(undefined)
      for (const written of together) await written
      const target = new Uint8Array(4 * 4096)
      await disk.read(8, target)
      expect(target.every(byte => byte === 6)).toBe(true)
    })

    it('hands over parts of pages, and what is long', async () => {
      await using disk = await open(path)
      expect(await isSoon(disk, () => disk.write(0, page.subarray(0, 512)))).toBe(false)
      expect(disk.write(0, new Uint8Array(MIB / 2))).toBeInstanceOf(Promise)
    })

    it.for(['io_uring', 'threads'] as const)('hands everything over with io=%s', async io => {
      const spec = { path, readOnly: false, io }
      await using disk = await FileBackend.open(spec, { blockSize: 512, logger: silentLogger })
      expect(await isSoon(disk)).toBe(false)
    })
  })

  it('keeps a sparse file sparse: zeroes take no space', async () => {
    const path = await folder.file('disk.img', 16 * MIB)
    await using disk = await open(path)
    await disk.write(0, new Uint8Array(4 * MIB).fill(1))
    await disk.writeZeroes(0, disk.blockCount)
    await disk.flush()
    const { size, blocks } = await stat(path)
    expect(size).toBe(16 * MIB)
    expect(blocks * 512).toBeLessThan(MIB)
  })

  it('gives the space of discarded blocks back', async ({ skip }) => {
    const path = await folder.file('disk.img', 16 * MIB)
    await using disk = await open(path)
    skip(!disk.supportsDiscard, 'the file system of the temporary folder makes no holes')
    await disk.write(0, new Uint8Array(4 * MIB).fill(1))
    await disk.flush()
    const before = (await stat(path)).blocks
    await disk.discard!(0, disk.blockCount)
    await disk.flush()
    expect(before * 512).toBeGreaterThanOrEqual(4 * MIB)
    expect((await stat(path)).blocks * 512).toBeLessThan(MIB)
  })

  it('rejects a read of what was cut off the file, instead of making data up', async () => {
    const path = await folder.file('disk.img', MIB)
    await using disk = await open(path)
    await truncate(path, MIB / 2)
    await expect(Promise.resolve(disk.read(1023, new Uint8Array(1024)))).rejects.toThrow(
      expect.objectContaining({
        code: 'PCIKIT_BLOCK_UNAVAILABLE',
        message: `The file ${path} has become shorter than its 2048 blocks. Restore its size.`
      })
    )
  })

  describe('when the file gets another size', () => {
    it('ends before a block that is not all there', async () => {
      const path = await folder.file('disk.img', MIB)
      await using disk = await open(path, true)
      await truncate(path, MIB + 511)
      const partly = await disk.checkSize()
      await truncate(path, MIB - 1)
      expect([partly, await disk.checkSize(), disk.blockCount]).toEqual([false, true, 2047])
    })

    it('is closed only when it has looked', async () => {
      const path = await folder.file('disk.img', MIB)
      const disk = await open(path)
      await truncate(path, 2 * MIB)
      const look = disk.checkSize()
      await disk[Symbol.asyncDispose]()
      expect(await look).toBe(true)
    })
  })

  describe('when it is locked', () => {
    it('refuses a second writer, and tells what to do', async () => {
      const path = await folder.file('disk.img', MIB)
      await using first = await open(path)
      expect(first.readOnly).toBe(false)
      await expect(open(path)).rejects.toThrow(
        expect.objectContaining({
          code: 'PCIKIT_BLOCK_LOCKED',
          message: `The file ${path} is in use by another process or another device. ` +
            'Stop the other user, or open it with ",readonly" in both.'
        })
      )
    })

    it('refuses a reader while there is a writer, and the other way round', async () => {
      const path = await folder.file('disk.img', MIB)
      const writer = await open(path)
      await expect(open(path, true)).rejects.toThrow('Stop whoever writes to it.')
      await writer[Symbol.asyncDispose]()
      await using reader = await open(path, true)
      expect(reader.readOnly).toBe(true)
      await expect(open(path)).rejects.toMatchObject({ code: 'PCIKIT_BLOCK_LOCKED' })
    })

    it('lets many read', async () => {
      const path = await folder.file('disk.img', MIB)
      await using first = await open(path, true)
      await using second = await open(path, true)
      expect([first.blockCount, second.blockCount]).toEqual([2048, 2048])
    })

    it('is free again after a close', async () => {
      const path = await folder.file('disk.img', MIB)
      await (await open(path))[Symbol.asyncDispose]()
      await using disk = await open(path)
      expect(disk.blockCount).toBe(2048)
    })

    it('is free again after a refused open', async () => {
      const path = await folder.file('disk.img', 1000)
      await expect(open(path)).rejects.toMatchObject({ code: 'PCIKIT_BLOCK_UNAVAILABLE' })
      await truncate(path, 1024)
      await using disk = await open(path)
      expect(disk.blockCount).toBe(2)
    })
  })

  describe('when the file is of no use', () => {
    it('says how to create a missing one', async () => {
      await expect(open(folder.path('none.img'))).rejects.toThrow(
        expect.objectContaining({
          code: 'PCIKIT_BLOCK_UNAVAILABLE',
          message: `The file ${folder.path('none.img')} does not exist. Create it, for example with ` +
            `"truncate -s 1G ${folder.path('none.img')}".`
        })
      )
    })

    it('refuses a directory', async () => {
      await mkdir(folder.path('folder'))
      const message = 'neither a regular file nor a block device'
      await expect(open(folder.path('folder'))).rejects.toThrow(message)
      await expect(open(folder.path('folder'), true)).rejects.toThrow(message)
    })

    it('refuses a FIFO at once, without waiting for a writer', async () => {
      execFileSync('mkfifo', [folder.path('fifo')])
      await expect(open(folder.path('fifo'), true)).rejects.toThrow('neither a regular file nor a block device')
    })

    it('refuses a file that is not whole blocks, and says what would be', async () => {
      const path = await folder.file('disk.img', 1536)
      await expect(open(path, false, 4096)).rejects.toThrow(
        `The file ${path} is 1536 bytes long, which is not whole blocks of 4096 bytes. ` +
          'Choose a block size of 512, or make it longer with "truncate -s 4096".'
      )
    })

    it('refuses an empty file', async () => {
      const path = await folder.file('disk.img', 0)
      await expect(open(path)).rejects.toThrow('Make it longer with "truncate -s 512".')
    })

    it('suggests readonly for a file that may not be written', async ({ skip }) => {
      skip(getuid?.() === 0, 'root may write to everything')
      const path = await folder.file('disk.img', MIB)
      await chmod(path, 0o400)
      await expect(open(path)).rejects.toThrow('add ",readonly" to only read it')
    })
  })

  it('opens a file that may not be written for reading', async () => {
    const path = await folder.file('disk.img', MIB)
    await chmod(path, 0o400)
    await using disk = await open(path, true)
    expect([disk.readOnly, disk.supportsDiscard, disk.discard, disk.hasVolatileCache]).toEqual([
      true,
      false,
      undefined,
      false
    ])
  })

  it('transfers more pieces than one system call takes', async () => {
    const path = await folder.file('disk.img', MIB)
    await using disk = await open(path)
    const bytes = Uint8Array.from({ length: 3000 * 8 }, (_, index) => index % 253)
    const list = {
      byteLength: 47 * 512,
      segmentCount: 3008,
      bytesAt: () => bytes,
      offsetAt: (index: number) => (index % 3000) * 8,
      lengthAt: () => 8
    }
    await disk.write(1, list)
    const target = new Uint8Array(47 * 512)
    await disk.read(1, target)
    expect(target.subarray(0, 24_000)).toEqual(bytes)
    expect(target.subarray(24_000)).toEqual(bytes.subarray(0, 64))
  })
})
