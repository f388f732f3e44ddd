import { ftruncateSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { closeDescriptor, createMemoryFile, Mapping, mappingFaultCount } from '../src/index.js'
import { addonPath, runWithAddon } from './addon-process.js'

const readOnly = { read: true, write: false }
const readWrite = { read: true, write: true }

describe('the fault guard', () => {
  it('survives a write to memory that may only be read, and keeps it from the file', () => {
    const file = createMemoryFile('constant', 8192)
    const writable = Mapping.map(file, 0, 8192, readWrite)
    const original = new Uint8Array(writable.window(0, 8192)).fill(1)
    const mapping = Mapping.map(file, 0, 8192, readOnly)
    const bytes = new Uint8Array(mapping.window(0, 8192))
    bytes[4096] = 9
    expect(mapping.faulted).toBe(true)
    expect(original[4096]).toBe(1)
    expect(bytes[0]).toBe(1)
    for (const each of [mapping, writable]) each.unmap()
    closeDescriptor(file)
  })

  it('repairs each page once, and counts', () => {
    const file = createMemoryFile('empty', 4 * 4096)
    const mapping = Mapping.map(file, 0, 4 * 4096, readWrite)
    const bytes = new Uint8Array(mapping.window(0, 4 * 4096))
    ftruncateSync(file, 0)
    const before = mappingFaultCount()
    bytes[0] = 5
    bytes[1] = 6
    bytes[4096] = 7
    expect([bytes[0], bytes[1], bytes[4096]]).toEqual([5, 6, 7])
    expect(mappingFaultCount()).toBe(before + 2)
    mapping.unmap()
    closeDescriptor(file)
  })

  it('marks the mapping that faulted and no other', () => {
    const file = createMemoryFile('two', 8192)
    const first = Mapping.map(file, 0, 4096, readWrite)
    const second = Mapping.map(file, 4096, 4096, readWrite)
    const bytes = new Uint8Array(second.window(0, 4096))
    ftruncateSync(file, 4096)
    bytes[0] = 1
    expect([first.faulted, second.faulted]).toEqual([false, true])
    for (const each of [first, second]) each.unmap()
    closeDescriptor(file)
  })

  it('survives optimised code and every thread at once', async () => {
    const end = await runWithAddon(`
      const { Worker } = require('node:worker_threads')
      const addon = Object.keys(require.cache).find(name => name.endsWith('.node'))
      const code = \`
        const { workerData, parentPort } = require('node:worker_threads')
        const native = require(workerData.addon), fs = require('node:fs')
        let faults = 0
        for (let round = 0; round < 100; round += 1) {
          const file = native.createMemoryFile('w', 16 * 4096, 0)
          const mapping = new native.Mapping(file, 0, 16 * 4096, true, true)
          const words = new Float64Array(mapping.window(0, 16 * 4096))
          fs.ftruncateSync(file, 0)
          for (let index = 0; index < words.length; index += 1) words[index] += index
          faults += mapping.faultCount
          mapping.unmap()
          native.closeDescriptor(file)
        }
        parentPort.postMessage(faults)
      \`
      for (let count = 0; count < 3; count += 1) {
        new Worker(code, { eval: true, workerData: { addon } }).on('message', faults => console.log(faults))
      }
    `)
    expect(end).toEqual({ code: 0, signal: null, output: '1600\n'.repeat(3) })
  })

  it.each(['SIGSEGV', 'SIGBUS'])('lets a %s that was sent end the process', async signal => {
    const end = await runWithAddon(`
      new native.Mapping(-1, 0, 4096, true, true)
      process.kill(process.pid, '${signal}')
      setInterval(() => {}, 1000)
    `)
    expect(end.signal).toBe(signal)
  })

  it('lets a fault of other memory end the process', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pcikit-'))
    const end = await runWithAddon(`
      new native.Mapping(-1, 0, 4096, true, true)
      // Code whose file is gone: a second copy of the addon itself.
      const path = ${JSON.stringify(join(folder, 'copy.node'))}
      fs.copyFileSync(${JSON.stringify(addonPath)}, path)
      const copy = require(path)
      fs.truncateSync(path, 0)
      console.log('before')
      copy.socketPair()
      console.log('after')
    `)
    expect(end).toEqual({ code: null, signal: 'SIGBUS', output: 'before\n' })
    rmSync(folder, { recursive: true })
  })

  it('leaves WebAssembly its own traps', async () => {
    const end = await runWithAddon(`
      const mapping = new native.Mapping(-1, 0, 4096, true, true)
      // (module (memory 1) (func (export "load") (param i32) (result i32) local.get 0 i32.load))
      const module = new WebAssembly.Module(Uint8Array.of(
        0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 127, 1, 127, 3, 2, 1, 0, 5, 3, 1, 0, 1, 7, 8, 1, 4, 108, 111, 97,
        100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 40, 2, 0, 11))
      const { load } = new WebAssembly.Instance(module).exports
      console.log(load(0))
      for (let round = 0; round < 1000; round += 1) {
        try { load(65536) } catch (error) { if (round === 999) console.log(error.constructor.name) }
      }
      console.log(mapping.faultCount)
    `)
    expect(end).toEqual({ code: 0, signal: null, output: '0\nRuntimeError\n0\n' })
  })
})
