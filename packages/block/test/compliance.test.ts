import { afterAll, beforeAll } from 'vitest'
import { silentLogger } from '@pcikit/core'
import { describeBlockBackend } from '@pcikit/testkit/compliance'
import { FileBackend, MemoryBackend, NullBackend } from '../src/index.js'
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
beforeAll(async () => {
  folder = await createScratchFolder()
})
afterAll(async () => {
  await folder.remove()
})

let fileCount = 0
let path = ''
const open = (readOnly: boolean, blockSize = 512): Promise<FileBackend> =>
  FileBackend.open({ path, readOnly }, { blockSize, logger: silentLogger })

describeBlockBackend('FileBackend', {
  create: async ({ blockSize, blockCount }) => {
    fileCount += 1
    path = await folder.file(`disk-${fileCount}.img`, blockSize * blockCount)
    return open(false, blockSize)
  },
  reopen: () => open(false),
  reopenReadOnly: () => open(true)
})
