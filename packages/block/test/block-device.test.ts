import { execFileSync } from 'node:child_process'
import { truncate } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { silentLogger } from '@pcikit/core'
import { FileBackend } from '../src/index.js'
import { createScratchFolder } from './scratch-folder.js'
import type { ScratchFolder } from './scratch-folder.js'

const MIB = 1024 * 1024

/** Makes a block device of a file, where this user and this machine allow it. */
function attachLoopDevice (path: string): string | undefined {
  try {
    return execFileSync('losetup', ['--find', '--show', path], { encoding: 'utf8', stdio: 'pipe' }).trim()
  } catch {
    return undefined
  }
}

describe('FileBackend on a block device', () => {
  let folder: ScratchFolder
  let device: string | undefined
  beforeEach(async () => {
    folder = await createScratchFolder()
    device = attachLoopDevice(await folder.file('disk.img', MIB))
  })
  afterEach(async () => {
    if (device !== undefined) execFileSync('losetup', ['--detach', device])
    await folder.remove()
  })

  it('has the size of the device, and reads what it wrote, zeroed and discarded', async ({ skip }) => {
    skip(device === undefined, 'losetup needs root and a kernel with loop devices')
    await using disk = await FileBackend.open({ path: device!, readOnly: false }, {
      blockSize: 512,
      logger: silentLogger
    })
    await disk.write(0, new Uint8Array(8 * 512).fill(1))
    await disk.writeZeroes(1, 2)
    await disk.discard?.(4, 1)
    await disk.flush()
    const target = new Uint8Array(8 * 512)
    await disk.read(0, target)
    expect(disk.blockCount).toBe(2048)
    expect(target.filter((_, at) => at % 512 === 0)).toEqual(
      Uint8Array.of(1, 0, 0, 1, disk.supportsDiscard ? 0 : 1, 1, 1, 1)
    )
  })

  it('takes over the size of a device that has grown', async ({ skip }) => {
    skip(device === undefined, 'losetup needs root and a kernel with loop devices')
    const spec = { path: device!, readOnly: false }
    await using disk = await FileBackend.open(spec, { blockSize: 512, logger: silentLogger })
    await truncate(folder.path('disk.img'), 2 * MIB)
    execFileSync('losetup', ['--set-capacity', device!])
    expect(await disk.checkSize()).toBe(true)
    expect(disk.blockCount).toBe(4096)
  })

  it('is locked against a second opener', async ({ skip }) => {
    skip(device === undefined, 'losetup needs root and a kernel with loop devices')
    const spec = { path: device!, readOnly: false }
    await using disk = await FileBackend.open(spec, { blockSize: 4096, logger: silentLogger })
    expect(disk.blockCount).toBe(256)
    await expect(FileBackend.open(spec, { blockSize: 4096, logger: silentLogger })).rejects.toMatchObject({
      code: 'PCIKIT_BLOCK_LOCKED'
    })
  })
})
