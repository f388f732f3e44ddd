import { describe, expect, it } from 'vitest'
import { runWithAddon } from './addon-process.js'
import { whyNoIoRing } from './why-no-io-ring.js'

const reason = whyNoIoRing()

/** Code for a process of its own: an empty pipe, and a ring. */
const PRELUDE = `
  const { execFileSync } = require('node:child_process')
  const pipe = require('node:os').tmpdir() + '/pcikit-pipe-' + process.pid
  execFileSync('mkfifo', [pipe])
  const both = fs.openSync(pipe, fs.constants.O_RDWR)
  fs.unlinkSync(pipe)
  const answers = new Float64Array(16)
`

describe.skipIf(reason !== undefined)(`the lifetime of an IoRing (${reason ?? 'io_uring is there'})`, () => {
  it('lets the process end while it is idle, with a callback', async () => {
    const end = await runWithAddon(`
      const ring = new native.IoRing(8)
      ring.onAnswer(() => {})
      console.log('idle')
    `)
    expect(end).toEqual({ code: 0, signal: null, output: 'idle\n' })
  })

  it('keeps the process running until the answer came', async () => {
    const end = await runWithAddon(`${PRELUDE}
      const ring = new native.IoRing(8)
      ring.onAnswer(() => { if (ring.exchange(answers) > 0) console.log(answers[0], answers[1]) })
      ring.prepareRead(5, both, [new Uint8Array(4)], [0], [4], 1, -1)
      ring.exchange(answers)
      const timer = setTimeout(() => fs.writeSync(both, 'abcd'), 50)
      timer.unref()
    `)
    expect(end).toEqual({ code: 0, signal: null, output: '5 4\n' })
  })

  it('ends with the process in the midst of a request', async () => {
    const end = await runWithAddon(`${PRELUDE}
      const ring = new native.IoRing(8)
      ring.prepareRead(0, both, [new Uint8Array(4)], [0], [4], 1, -1)
      ring.exchange(answers)
      console.log('leaving')
      process.exit(3)
    `)
    expect(end).toEqual({ code: 3, signal: null, output: 'leaving\n' })
  })

  it('survives the collection of its object and of the memory while a request is in flight', async () => {
    const end = await runWithAddon(`${PRELUDE}
      let target = new WeakRef(new Uint8Array(8192))
      let weakRing = (() => {
        const ring = new native.IoRing(8)
        ring.prepareRead(0, both, [target.deref()], [0], [8192], 1, -1)
        ring.exchange(answers)
        return new WeakRef(ring)
      })()
      setImmediate(() => {
        gc()
        fs.writeSync(both, new Uint8Array(8192).fill(7))
        const ring = weakRing.deref()
        while (ring.exchange(answers) === 0) {}
        console.log(answers[1], target.deref().every(byte => byte === 7))
        setTimeout(() => { gc(); setTimeout(() => { gc(); console.log(weakRing.deref() === undefined) }, 10) }, 10)
      })
    `)
    expect(end).toEqual({ code: 0, signal: null, output: '8192 true\ntrue\n' })
  })

  it('gives everything back when it is forgotten without a close', async () => {
    const end = await runWithAddon(`
      const count = () => fs.readdirSync('/proc/self/fd').length
      const before = count()
      for (let index = 0; index < 20; index += 1) new native.IoRing(8)
      const made = count()
      const look = left => {
        gc()
        if (count() === before || left === 0) console.log(made - before, count() - before)
        else setTimeout(look, 10, left - 1)
      }
      setTimeout(look, 10, 100)
    `)
    expect(end).toEqual({ code: 0, signal: null, output: '20 0\n' })
  })

  it('is stopped with its worker thread, whose memory no late answer reaches', async () => {
    const end = await runWithAddon(`${PRELUDE}
      const { Worker } = require('node:worker_threads')
      const addon = Object.keys(require.cache).find(name => name.endsWith('.node'))
      const worker = new Worker(\`
        const { parentPort, workerData } = require('node:worker_threads')
        const native = require(workerData.addon)
        const ring = new native.IoRing(8)
        ring.onAnswer(() => {})
        for (let slot = 0; slot < 8; slot += 1) {
          ring.prepareRead(slot, workerData.pipe, [new Uint8Array(65536)], [0], [65536], 1, -1)
        }
        ring.exchange(new Float64Array(16))
        parentPort.postMessage('started')
      \`, { eval: true, workerData: { addon, pipe: both } })
      worker.on('message', async () => {
        await worker.terminate()
        fs.writeSync(both, new Uint8Array(4096).fill(1))
        gc()
        console.log(fs.readSync(both, new Uint8Array(8192)))
      })
    `)
    expect(end).toEqual({ code: 0, signal: null, output: '4096\n' })
  })

  it('belongs to one thread each, and many threads have one', async () => {
    const end = await runWithAddon(`
      const { Worker } = require('node:worker_threads')
      const addon = Object.keys(require.cache).find(name => name.endsWith('.node'))
      const code = \`
        const { workerData } = require('node:worker_threads')
        const native = require(workerData)
        const ring = new native.IoRing(8)
        const answers = new Float64Array(16)
        const file = native.createMemoryFile('f', 4096, 0)
        for (let round = 0; round < 100; round += 1) {
          ring.prepareWrite(0, file, [new Uint8Array(4096).fill(round)], [0], [4096], 1, 0)
          while (ring.exchange(answers) === 0) {}
          if (answers[1] !== 4096) throw new Error('round ' + round + ': ' + answers[1])
        }
      \`
      let ended = 0
      for (let index = 0; index < 4; index += 1) {
        new Worker(code, { eval: true, workerData: addon }).on('exit', code => {
          ended += code === 0 ? 1 : 0
          if (ended === 4) console.log('all')
        })
      }
    `)
    expect(end).toEqual({ code: 0, signal: null, output: 'all\n' })
  })
})
