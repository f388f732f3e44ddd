import { afterAll } from 'vitest'
import { silentLogger } from '@pcikit/core'
import { describeBlockBackend } from '@pcikit/testkit/compliance'
import { SnapshotBackend } from '../src/index.js'
import { createBaseFile } from './base-file.js'
import type { BaseFile } from './base-file.js'

const files: BaseFile[] = []
afterAll(() => {
  for (const file of files) file[Symbol.dispose]()
})

describeBlockBackend('SnapshotBackend', {
  create: async ({ blockSize, blockCount }) => {
    const file = createBaseFile(new Uint8Array(blockSize * blockCount))
    files.push(file)
    return SnapshotBackend.open(file.path, { blockSize, logger: silentLogger })
  }
})
