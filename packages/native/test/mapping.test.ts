import { ftruncateSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { closeDescriptor, createMemoryFile, Mapping, WINDOW_BYTES_MAX } from '../src/index.js'
import { runWithAddon } from './addon-process.js'

const readWrite = { read: true, write: true }
const GiB = 2 ** 30

function read (fd: number, position: number, length: number): number[] {
  const bytes = new Uint8Array(length)
  readSync(fd, bytes, 0, length, position)
  return [...bytes]
}

/** Whether this process maps the memory file of that name. */
function isMapped (name: string): boolean {
  return readFileSync('/proc/self/maps', 'utf8').includes(`memfd:${name} `)
}

describe('Mapping', () => {
  let file: number
  beforeEach(() => {
    file = createMemoryFile('memory', 64 * 4096)
  })
  afterEach(() => closeDescriptor(file))

  it('shares its memory with the file, both ways', () => {
    const mapping = Mapping.map(file, 4096, 4096, readWrite)
    const bytes = new Uint8Array(mapping.window(0, 4096))
    bytes[10] = 77
    expect(read(file, 4096 + 10, 1)).toEqual([77])
    writeSync(file, Uint8Array.of(88), 0, 1, 4096 + 11)
    expect(bytes[11]).toBe(88)
    mapping.unmap()
  })

  it('needs no descriptor once it is made', () => {
    const other = createMemoryFile('other', 4096)
    const mapping = Mapping.map(other, 0, 4096, readWrite)
    closeDescriptor(other)
    const bytes = new Uint8Array(mapping.window(0, 4096))
    bytes[0] = 1
    expect(bytes[0]).toBe(1)
    mapping.unmap()
  })

  it('gives windows over any of its bytes, which overlap', () => {
    const mapping = Mapping.map(file, 0, 3 * 4096, readWrite)
    const whole = new Uint8Array(mapping.window(0, 3 * 4096))
    const part = new Uint8Array(mapping.window(4097, 5))
    part[0] = 9
    expect(part.length).toBe(5)
    expect(whole[4097]).toBe(9)
    mapping.unmap()
  })

  it('maps a length that is no whole number of pages, and gives no window past it', () => {
    const mapping = Mapping.map(file, 0, 5000, readWrite)
    expect(mapping.byteLength).toBe(5000)
    expect(mapping.window(4096, 904).byteLength).toBe(904)
    expect(() => mapping.window(4096, 905)).toThrow(RangeError)
    mapping.unmap()
  })

  it('has zeroed memory of its own without a file', () => {
    const mapping = Mapping.anonymous(8192)
    const bytes = new Uint8Array(mapping.window(0, 8192))
    expect(bytes.every(byte => byte === 0)).toBe(true)
    mapping.unmap()
  })

  it('maps hundreds of GiB of a sparse file, with windows of the largest size', () => {
    const large = createMemoryFile('large', 512 * GiB)
    const mapping = Mapping.map(large, 0, 512 * GiB, readWrite)
    const last = new Uint8Array(mapping.window(512 * GiB - WINDOW_BYTES_MAX, WINDOW_BYTES_MAX))
    last[WINDOW_BYTES_MAX - 1] = 5
    expect(read(large, 512 * GiB - 1, 1)).toEqual([5])
    mapping.unmap()
    closeDescriptor(large)
  })

  it('makes thousands of mappings of one page each, and gives them back', () => {
    const many = createMemoryFile('many', 2 * GiB)
    const mappings = Array.from({ length: 20_000 }, (_, index) => Mapping.map(many, index * 8192, 4096, readWrite))
    const views = mappings.map(mapping => new Uint8Array(mapping.window(0, 4096)))
    views.forEach((view, index) => {
      view[0] = index & 0xff
    })
    expect(read(many, 19_999 * 8192, 1)).toEqual([19_999 & 0xff])
    for (const mapping of mappings) mapping.unmap()
    expect(views.every(view => view.length === 0)).toBe(true)
    closeDescriptor(many)
  })

  it('stops before the process has no mappings left', async () => {
    const end = await runWithAddon(`
      const file = native.createMemoryFile('many', 2 ** 36, 0)
      const kept = []
      try {
        for (let index = 0; index < 70_000; index += 1) kept.push(new native.Mapping(file, index * 8192, 4096, true, true))
      } catch (error) { console.log(error.code) }
      const allowed = Number(fs.readFileSync('/proc/sys/vm/max_map_count', 'utf8'))
      console.log(kept.length === Math.min(70_000, allowed - 4096))
      for (const mapping of kept) mapping.revoke()
    `)
    expect(end.code).toBe(0)
    expect(end.output).toMatch(/^(ENOMEM\n)?true\n$/)
  })

  describe('detached', () => {
    it('leaves views with length 0', () => {
      const mapping = Mapping.map(file, 0, 8192, readWrite)
      const window = mapping.window(0, 8192)
      const bytes = new Uint8Array(window)
      const view = new DataView(window, 4096)
      bytes[0] = 1
      mapping.detach()
      expect(window.byteLength).toBe(0)
      expect(bytes.length).toBe(0)
      expect(bytes[0]).toBeUndefined()
      expect(() => view.getUint8(0)).toThrow(TypeError)
      mapping.unmap()
    })

    it('leaves the memory mapped, and gives new windows', () => {
      const mapping = Mapping.map(file, 0, 4096, readWrite)
      new Uint8Array(mapping.window(0, 4096))[0] = 3
      mapping.detach()
      expect(new Uint8Array(mapping.window(0, 4096))[0]).toBe(3)
      mapping.unmap()
    })

    it('can be one window of several', () => {
      const mapping = Mapping.map(file, 0, 8192, readWrite)
      const [first, second] = [mapping.window(0, 4096), mapping.window(4096, 4096)]
      mapping.detachWindow(first)
      expect([first.byteLength, second.byteLength]).toEqual([0, 4096])
      expect(() => mapping.detachWindow(first)).toThrow(TypeError)
      expect(() => mapping.detachWindow(new ArrayBuffer(8))).toThrow(TypeError)
      mapping.unmap()
      expect(second.byteLength).toBe(0)
    })
  })

  describe('revoked', () => {
    it('leaves no window and gives none', () => {
      const mapping = Mapping.map(file, 0, 4096, readWrite)
      const window = mapping.window(0, 4096)
      mapping.revoke()
      expect(window.byteLength).toBe(0)
      expect(() => mapping.window(0, 1)).toThrow(expect.objectContaining({ code: 'EFAULT' }))
      mapping.revoke()
      mapping.unmap()
    })

    it('has no memory of the file any more', () => {
      const revoked = createMemoryFile('revoked', 4096)
      const mapping = Mapping.map(revoked, 0, 4096, readWrite)
      expect(isMapped('revoked')).toBe(true)
      mapping.revoke()
      expect(isMapped('revoked')).toBe(false)
      mapping.unmap()
      closeDescriptor(revoked)
    })
  })

  describe('unmapped', () => {
    it('is gone from the address space, and can be unmapped again', () => {
      const unmapped = createMemoryFile('unmapped', 4096)
      const mapping = Mapping.map(unmapped, 0, 4096, readWrite)
      mapping.window(0, 4096)
      mapping.unmap()
      expect(isMapped('unmapped')).toBe(false)
      expect(() => mapping.unmap()).not.toThrow()
      expect(() => mapping.window(0, 1)).toThrow(expect.objectContaining({ code: 'EFAULT' }))
      closeDescriptor(unmapped)
    })

    it('leaves the file', () => {
      const mapping = Mapping.map(file, 0, 4096, readWrite)
      new Uint8Array(mapping.window(0, 4096))[5] = 6
      mapping.unmap()
      expect(read(file, 5, 1)).toEqual([6])
    })
  })

  describe('forgotten', () => {
    it('keeps its memory for a view that is still used, and gives it back after', async () => {
      const end = await runWithAddon(`
        const byteLength = 53 * 4096
        const isMapped = () => fs.readFileSync('/proc/self/maps', 'utf8').includes('memfd:forgotten')
        const file = native.createMemoryFile('forgotten', byteLength, 0)
        let view = (() => new Uint8Array(new native.Mapping(file, 0, byteLength, true, true).window(0, byteLength)))()
        const turns = (count, then) => { gc(); count === 0 ? then() : setImmediate(turns, count - 1, then) }
        turns(10, () => {
          view[byteLength - 1] = 1
          console.log('used', isMapped())
          view = undefined
          turns(10, () => console.log('dropped', isMapped()))
        })
      `)
      expect(end).toMatchObject({ code: 0, output: 'used true\ndropped false\n' })
    })

    it('has no memory for a buffer that was moved out of its window', async () => {
      const end = await runWithAddon(`
        const file = native.createMemoryFile('moved', 4096, 0)
        const mapping = new native.Mapping(file, 0, 4096, true, true)
        const window = mapping.window(0, 4096)
        new Uint8Array(window)[0] = 7
        // ArrayBuffer.prototype.transfer is new in Node 22. In Node 20 nothing can move it.
        const moved = new Uint8Array(window.transfer?.() ?? [7])
        const mapped = () => fs.readFileSync('/proc/self/maps', 'utf8').includes('memfd:moved')
        console.log(moved[0], mapped())
        mapping.unmap()
        console.log(window.transfer === undefined ? 0 : moved[0], mapped())
      `)
      expect(end).toMatchObject({ code: 0, signal: null, output: '7 true\n0 false\n' })
    })
  })

  describe('refuses', () => {
    it('an offset inside a page', () => {
      expect(() => Mapping.map(file, 1, 4096, readWrite)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    })

    it('writing through a descriptor that only reads', () => {
      const folder = mkdtempSync(join(tmpdir(), 'pcikit-'))
      writeFileSync(join(folder, 'file'), 'x'.repeat(4096))
      const fd = openSync(join(folder, 'file'), 'r')
      expect(() => Mapping.map(fd, 0, 4096, readWrite)).toThrow(expect.objectContaining({ code: 'EACCES' }))
      const mapping = Mapping.map(fd, 0, 4096, { read: true, write: false })
      expect(new Uint8Array(mapping.window(0, 1))[0]).toBe('x'.charCodeAt(0))
      mapping.unmap()
      closeDescriptor(fd)
      rmSync(folder, { recursive: true })
    })

    it('a descriptor that has no memory', () => {
      const fd = openSync('/', 'r')
      expect(() => Mapping.map(fd, 0, 4096, { read: true, write: false }))
        .toThrow(expect.objectContaining({ code: 'ENODEV' }))
      closeDescriptor(fd)
    })

    it('a descriptor that is not open', () => {
      expect(() => Mapping.map(99_999, 0, 4096, readWrite)).toThrow(expect.objectContaining({ code: 'EBADF' }))
    })

    it.each([
      ['a negative descriptor', () => Mapping.map(-1, 0, 4096, readWrite)],
      ['an empty mapping', () => Mapping.map(file, 0, 0, readWrite)],
      ['a mapping that allows nothing', () => Mapping.map(file, 0, 4096, { read: false, write: false })],
      ['a negative offset', () => Mapping.map(file, -4096, 4096, readWrite)],
      ['an end past 2^53', () => Mapping.map(file, 2 ** 53 - 4096, 8192, readWrite)],
      ['more than there are addresses', () => Mapping.map(file, 0, 2 ** 53, readWrite)],
      ['an empty window', () => Mapping.anonymous(4096).window(0, 0)],
      ['a window past the end', () => Mapping.anonymous(4096).window(1, 4096)],
      ['a window that is too large', () => Mapping.anonymous(8 * GiB).window(0, WINDOW_BYTES_MAX + 1)]
    ])('%s', (_name, call) => {
      expect(call).toThrow(RangeError)
    })

    it('more addresses than the machine has', () => {
      expect(() => Mapping.map(file, 0, 2 ** 52, readWrite)).toThrow(expect.objectContaining({ code: 'ENOMEM' }))
    })
  })

  it('says when its file became shorter, and reads zeroes there', () => {
    const shrinking = createMemoryFile('shrinking', 8192)
    const mapping = Mapping.map(shrinking, 0, 8192, readWrite)
    const bytes = new Uint8Array(mapping.window(0, 8192)).fill(1)
    ftruncateSync(shrinking, 4096)
    expect(mapping.faulted).toBe(false)
    expect([bytes[0], bytes[4096]]).toEqual([1, 0])
    expect(mapping.faulted).toBe(true)
    mapping.unmap()
    expect(mapping.faulted).toBe(true)
    closeDescriptor(shrinking)
  })
})
