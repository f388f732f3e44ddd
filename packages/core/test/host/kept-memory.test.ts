import type { SharedMemory } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { KeptMemory } from '../../src/host/kept-memory.js'

function createKept () {
  const closed: string[] = []
  let count = 0
  const kept = new KeptMemory({
    create: (name, byteLength): SharedMemory => ({
      descriptor: ++count,
      bytes: new Uint8Array(byteLength),
      close: () => void closed.push(name)
    })
  })
  return { kept, closed }
}

describe('memory that is kept', () => {
  it('is the same for the next code that asks for the same', () => {
    const { kept, closed } = createKept()
    const first = kept.lend()
    const [page, twin, other] = [first.create('page', 4096), first.create('page', 4096), first.create('other', 4096)]
    page.bytes[0] = 7
    page.close()
    first.end()
    const second = kept.lend()
    const again = second.create('page', 4096)
    expect([again.descriptor, again.bytes[0]]).toEqual([page.descriptor, 7])
    expect(second.create('page', 4096).descriptor).toBe(twin.descriptor)
    const larger = second.create('other', 8192)
    expect(larger.descriptor).not.toBe(other.descriptor)
    kept.prune()
    expect(closed).toEqual(['other'])
    second.end()
    kept.prune()
    kept.prune()
    expect(closed).toEqual(['other', 'page', 'page', 'other'])
  })

  it('is as new for a device that is', () => {
    const { kept } = createKept()
    const { bytes } = kept.lend().create('page', 4096)
    bytes.fill(1)
    kept.clear()
    expect(bytes.every(byte => byte === 0)).toBe(true)
  })
})
