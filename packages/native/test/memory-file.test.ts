import { ftruncateSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { addSeals, closeDescriptor, createMemoryFile, describeDescriptor, getSeals, Seal } from '../src/index.js'

describe('a memory file', () => {
  let file = -1
  afterEach(() => closeDescriptor(file))

  it('has the size it was made with, however large', () => {
    file = createMemoryFile('large', 2 ** 40)
    expect(describeDescriptor(file).size).toBe(2 ** 40)
  })

  it('has no seals unless asked, and can be resized', () => {
    file = createMemoryFile('free', 4096)
    expect(getSeals(file) & ~0x20).toBe(0)
    ftruncateSync(file, 8192)
    expect(describeDescriptor(file).size).toBe(8192)
  })

  it('keeps its size when sealed', () => {
    file = createMemoryFile('sealed', 4096, { seal: true })
    expect(getSeals(file)).toBe(Seal.SHRINK | Seal.GROW)
    expect(() => ftruncateSync(file, 0)).toThrow(expect.objectContaining({ code: 'EPERM' }))
  })

  it('takes seals until it is sealed against them', () => {
    file = createMemoryFile('sealed', 4096)
    addSeals(file, Seal.SHRINK | Seal.SEAL)
    expect(getSeals(file)).toBe(Seal.SHRINK | Seal.SEAL)
    expect(() => addSeals(file, Seal.GROW)).toThrow(expect.objectContaining({ code: 'EPERM' }))
  })

  it('refuses a name with a NUL, a negative size and a fraction', () => {
    file = createMemoryFile('other', 0)
    expect(() => createMemoryFile('a\0b', 1)).toThrow(TypeError)
    expect(() => createMemoryFile('a', -1)).toThrow(RangeError)
    expect(() => createMemoryFile('a', 1.5)).toThrow(RangeError)
  })
})
