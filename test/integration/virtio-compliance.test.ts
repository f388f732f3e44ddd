import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeVirtioDevice } from '@pcikit/testkit/compliance'
import { Cleanup, createFolder } from './testbed.js'
import { sampleRead, serveVirtioBlk } from './virtio-testbed.js'

const MIB = 1024 * 1024

/** A disk in a file, which grows when the configuration is to change. */
async function create () {
  const cleanup = new Cleanup()
  const file = join(createFolder(cleanup), 'disk')
  writeFileSync(file, '')
  truncateSync(file, MIB)
  let mebibytes = 1
  const { path } = await serveVirtioBlk(cleanup, { backend: `file:${file}`, resizeCheckMs: 10, inOrder: true })
  return {
    path,
    changeConfig: () => truncateSync(file, ++mebibytes * MIB),
    close: () => cleanup.run()
  }
}

describeVirtioDevice('virtio-blk on a file', { create, sample: sampleRead })

describeVirtioDevice('virtio-blk in memory', {
  create: async () => {
    const cleanup = new Cleanup()
    const { path } = await serveVirtioBlk(cleanup)
    return { path, close: () => cleanup.run() }
  },
  sample: sampleRead,
  queue: 1
})
