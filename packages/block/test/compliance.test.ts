import { existsSync } from 'node:fs'
import { truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll } from 'vitest'
import { silentLogger } from '@pcikit/core'
import { describeBlockBackend } from '@pcikit/testkit/compliance'
import { FileBackend, MemoryBackend, NullBackend } from '../src/index.js'
import type { FileIo } from '../src/index.js'
import { createScratchFolder } from './scratch-folder.js'
import type { ScratchFolder } from './scratch-folder.js'

describeBlockBackend('MemoryBackend', {
  create: async ({ blockSize, blockCount }) => MemoryBackend.open(blockSize * blockCount, { blockSize })
})

describeBlockBackend('NullBackend', {
  create: async ({ blockSize, blockCount }) => new NullBackend(blockSize * blockCount, { blockSize }),
  forgets: true
})

let folder: ScratchFolder
let memoryFolder: ScratchFolder
beforeAll(async () => {
  folder = await createScratchFolder()
  memoryFolder = await createScratchFolder(existsSync('/dev/shm') ? '/dev/shm' : tmpdir())
})
afterAll(async () => {
  await folder.remove()
  await memoryFolder.remove()
})

let fileCount = 0
let path = ''

function describeFileBackend (name: string, io: FileIo, folderOf: () => ScratchFolder): void {
  const open = (readOnly: boolean, blockSize = 512): Promise<FileBackend> =>
    FileBackend.open({ path, readOnly, io }, { blockSize, logger: silentLogger })

  describeBlockBackend(name, {
    create: async ({ blockSize, blockCount }) => {
      fileCount += 1
      path = await folderOf().file(`disk-${fileCount}.img`, blockSize * blockCount)
      return open(false, blockSize)
    },
    reopen: () => open(false),
    reopenReadOnly: () => open(true),
    resize: blockCount => truncate(path, 512 * blockCount)
  })
}

describeFileBackend('FileBackend', 'auto', () => folder)
describeFileBackend('FileBackend on the thread pool', 'threads', () => folder)
describeFileBackend('FileBackend on a file in memory', 'auto', () => memoryFolder)
