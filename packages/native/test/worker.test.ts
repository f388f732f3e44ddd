import { readdirSync, readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { addonPath, runWithAddon } from './addon-process.js'
import { openDescriptorCount } from './open-descriptors.js'

function runInWorker (code: string): Promise<unknown> {
  const prelude = `const { parentPort } = require('node:worker_threads');const native = require(${
    JSON.stringify(addonPath)
  });`
  return new Promise((resolve, reject) => {
    const worker = new Worker(prelude + code, { eval: true })
    let message: unknown
    worker.on('message', value => {
      message = value
    })
    worker.on('error', reject)
    worker.on('exit', () => resolve(message))
  })
}

describe('a worker thread', () => {
  it('has sockets, mappings and transfers of its own', async () => {
    const result = await runInWorker(`
      const [first, second] = native.socketPair()
      const near = new native.Socket(first), far = new native.Socket(second)
      const mapping = new native.Mapping(-1, 0, 4096, true, true)
      const bytes = new Uint8Array(mapping.window(0, 4096))
      far.onReadable(() => {
        far.receive(bytes, 0, 1)
        const file = native.createMemoryFile('f', 4096, 0)
        native.writeVector(file, [bytes], [0], [4096], 1, 0).then(written => {
          parentPort.postMessage([bytes[0], written])
          near.close(); far.close(); mapping.unmap(); native.closeDescriptor(file)
        })
      })
      near.send(Uint8Array.of(42), 0, 1)
    `)
    expect(result).toEqual([42, 4096])
  })

  it('ends with everything still open, and leaks nothing', async () => {
    await runInWorker('')
    const before = openDescriptorCount()
    await runInWorker(`
      const sockets = native.socketPair().map(fd => new native.Socket(fd))
      for (const socket of sockets) { socket.onReadable(() => {}); socket.onWritable(() => {}) }
      const mapping = new native.Mapping(-1, 0, 4096, true, true)
      const window = mapping.window(0, 4096)
      process.exit()
    `)
    expect(openDescriptorCount()).toBeLessThanOrEqual(before)
  })

  it('ends with the thread that writes for it, also in the midst of a write', async () => {
    const result = await runInWorker(`
      const file = native.createMemoryFile('f', 0, 0)
      const long = new Uint8Array(64 * 1024 * 1024)
      Promise.resolve(native.writeVectorSoon(file, [long], [0], [4096], 1, 0)).then(written => {
        const late = native.writeVectorSoon(file, [long], [0], [long.length], 1, 0)
        const { readdirSync, readFileSync } = require('node:fs')
        const names = readdirSync('/proc/self/task').map(id => readFileSync('/proc/self/task/' + id + '/comm', 'utf8'))
        parentPort.postMessage([written, late instanceof Promise, names.includes('pcikit-write\\n')])
        process.exit()
      })
    `)
    expect(result).toEqual([4096, true, true])
    const threads = readdirSync('/proc/self/task').map(id => readFileSync(`/proc/self/task/${id}/comm`, 'utf8'))
    expect(threads).not.toContain('pcikit-write\n')
  })

  it('can be terminated while a callback runs again and again', async () => {
    const worker = new Worker(
      `
        const { parentPort } = require('node:worker_threads')
        const native = require(${JSON.stringify(addonPath)})
        const sockets = native.socketPair().map(fd => new native.Socket(fd))
        sockets[0].send(new Uint8Array(1), 0, 1)
        sockets[1].onReadable(() => parentPort.postMessage('called'))
      `,
      { eval: true }
    )
    await new Promise(resolve => worker.once('message', resolve))
    expect(await worker.terminate()).toBe(1)
  })

  it('can be terminated while a transfer is in flight, which it waits for', async () => {
    const end = await runWithAddon(`
      const { Worker } = require('node:worker_threads')
      const addon = Object.keys(require.cache).find(name => name.endsWith('.node'))
      const worker = new Worker(\`
        const { parentPort, workerData } = require('node:worker_threads')
        const native = require(workerData)
        const file = native.createMemoryFile('f', 2 ** 28, 0)
        const mapping = new native.Mapping(-1, 0, 2 ** 28, true, true)
        const bytes = new Uint8Array(mapping.window(0, 2 ** 28))
        native.readVector(file, [bytes], [0], [2 ** 28], 1, 0)
        parentPort.postMessage('started')
      \`, { eval: true, workerData: addon })
      worker.on('message', () => worker.terminate().then(() => console.log('ended')))
    `)
    expect(end).toEqual({ code: 0, signal: null, output: 'ended\n' })
  })

  it('leaves the fault guard in place for the others when it ends', async () => {
    const end = await runWithAddon(`
      const { Worker } = require('node:worker_threads')
      const addon = Object.keys(require.cache).find(name => name.endsWith('.node'))
      const code = 'new (require(require("node:worker_threads").workerData).Mapping)(-1, 0, 4096, true, true)'
      new Worker(code, { eval: true, workerData: addon }).on('exit', () => {
        const file = native.createMemoryFile('f', 4096, 0)
        const mapping = new native.Mapping(file, 0, 4096, true, true)
        const bytes = new Uint8Array(mapping.window(0, 4096))
        fs.ftruncateSync(file, 0)
        console.log(bytes[0], mapping.faultCount)
      })
    `)
    expect(end).toEqual({ code: 0, signal: null, output: '0 1\n' })
  })
})
