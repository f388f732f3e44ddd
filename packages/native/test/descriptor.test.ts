import { closeSync, openSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  closeDescriptor,
  createEventFd,
  createMemoryFile,
  describeDescriptor,
  duplicateDescriptor,
  signalEventFd,
  watchDescriptor
} from '../src/index.js'
import { openDescriptorCount } from './open-descriptors.js'

describe('a descriptor', () => {
  it('is described with its size, identity and access', () => {
    const file = createMemoryFile('file', 12_345)
    expect(describeDescriptor(file)).toMatchObject({ type: 'file', size: 12_345, readable: true, writable: true })
    closeDescriptor(file)
  })

  it('is told apart by its kind', () => {
    const event = createEventFd()
    const folder = openSync('/', 'r')
    const device = openSync('/dev/null', 'w')
    expect(describeDescriptor(event)).toMatchObject({ type: 'anonymous', nonBlocking: true })
    expect(describeDescriptor(folder)).toMatchObject({ type: 'directory', readable: true, writable: false })
    expect(describeDescriptor(device)).toMatchObject({ type: 'character', readable: false, writable: true })
    closeSync(folder)
    closeSync(device)
    closeDescriptor(event)
  })

  it('is known to be in memory, or not to be', () => {
    const file = createMemoryFile('file', 1)
    const devices = openSync('/dev/null', 'w')
    const kernel = openSync('/proc/self/status', 'r')
    expect([file, devices, kernel].map(fd => describeDescriptor(fd).inMemory)).toEqual([true, false, false])
    closeDescriptor(file)
    closeSync(devices)
    closeSync(kernel)
  })

  it('has the same identity when it is duplicated, and another when it is another file', () => {
    const file = createMemoryFile('file', 1)
    const other = createMemoryFile('file', 1)
    const copy = duplicateDescriptor(file)
    expect(copy).not.toBe(file)
    expect(describeDescriptor(copy)).toEqual(describeDescriptor(file))
    expect(describeDescriptor(other).inode).not.toBe(describeDescriptor(file).inode)
    for (const fd of [file, other, copy]) closeDescriptor(fd)
  })

  it('is closed once, and an error the second time', () => {
    const before = openDescriptorCount()
    const file = createMemoryFile('file', 1)
    closeDescriptor(file)
    expect(openDescriptorCount()).toBeLessThanOrEqual(before)
    expect(() => closeDescriptor(file)).toThrow(expect.objectContaining({ code: 'EBADF', syscall: 'close' }))
    expect(() => describeDescriptor(file)).toThrow(expect.objectContaining({ code: 'EBADF' }))
    expect(() => duplicateDescriptor(file)).toThrow(expect.objectContaining({ code: 'EBADF' }))
  })

  it('is refused when it is not a number that a descriptor can be', () => {
    expect(() => closeDescriptor(-1)).toThrow(RangeError)
    expect(() => closeDescriptor(2 ** 31)).toThrow(RangeError)
    expect(() => closeDescriptor('1' as never)).toThrow(TypeError)
  })
})

describe('a watch', () => {
  it('calls back while the descriptor is readable, and not after it is closed', async () => {
    const event = createEventFd()
    let calls = 0
    await new Promise<void>(resolve => {
      const watch = watchDescriptor(event, () => {
        calls += 1
        if (calls < 3) return
        watch.close()
        watch.close()
        setImmediate(() => setImmediate(resolve))
      })
      signalEventFd(event)
    })
    expect(calls).toBe(3)
    closeDescriptor(event)
  })

  it('cannot watch a file', () => {
    const file = createMemoryFile('file', 1)
    expect(() => watchDescriptor(file, () => {})).toThrow(expect.objectContaining({ code: 'EPERM' }))
    closeDescriptor(file)
  })

  it('leaves the descriptor open', () => {
    const event = createEventFd()
    watchDescriptor(event, () => {}).close()
    expect(signalEventFd(event)).toBe(0)
    closeDescriptor(event)
  })
})
