import { closeSync, fstatSync, openSync } from 'node:fs'
import { closeDescriptor, createMemoryFile, Mapping } from '@pcikit/native'
import { describe, expect, it } from 'vitest'
import { findGrowth, findTraces, readProcessUse } from '../../src/chaos/process-use.js'

const SLACK = 10_000

describe('readProcessUse', () => {
  it('sees a descriptor that was opened, until it is closed', () => {
    const before = readProcessUse(process.pid)
    const descriptor = openSync('/dev/zero', 'r')
    const during = readProcessUse(process.pid)
    closeSync(descriptor)
    expect(findGrowth(before, during, SLACK)).toEqual(['descriptors of /dev/zero: 0 before, 1 after'])
    expect(findGrowth(before, readProcessUse(process.pid), SLACK)).toEqual([])
  })
})

describe('findTraces', () => {
  it('sees a mapping, also when the file behind it was closed', () => {
    const descriptor = createMemoryFile('process-use-test', 4096)
    const inode = fstatSync(descriptor).ino
    const mapping = Mapping.map(descriptor, 0, 4096, { read: true, write: true })
    closeDescriptor(descriptor)
    expect(findTraces(process.pid, inode)).toEqual([expect.stringContaining('process-use-test')])
    mapping.unmap()
    expect(findTraces(process.pid, inode)).toEqual([])
  })

  it('sees a descriptor', () => {
    const descriptor = createMemoryFile('process-use-test', 4096)
    const inode = fstatSync(descriptor).ino
    expect(findTraces(process.pid, inode)).toEqual([`descriptor ${descriptor}`])
    closeDescriptor(descriptor)
    expect(findTraces(process.pid, inode)).toEqual([])
  })
})

describe('findGrowth', () => {
  const none = { descriptors: new Map(), files: new Map(), mappingCount: 100 }

  it('tolerates a heap that grows a little', () => {
    expect(findGrowth(none, { ...none, mappingCount: 110 }, 10)).toEqual([])
  })

  it('does not tolerate more', () => {
    expect(findGrowth(none, { ...none, mappingCount: 111 }, 10)).toEqual(['mappings: 100 before, 111 after'])
  })

  it('does not mind what is gone', () => {
    expect(findGrowth({ ...none, descriptors: new Map([['socket', 3]]) }, none, 0)).toEqual([])
  })
})
