import { afterEach, describe, expect, it } from 'vitest'
import { ChaosMemory } from '../../src/chaos/chaos-memory.js'

const IOVA = 0x10_0000
const PAGE = 4096

const memories: ChaosMemory[] = []
afterEach(() => memories.splice(0).forEach(memory => memory.close()))

function createMemory (): ChaosMemory {
  const memory = new ChaosMemory([{ iova: IOVA, byteLength: 4 * PAGE }])
  memories.push(memory)
  return memory
}

const moved = [{ page: 0, pageCount: 2, place: 0, shared: true }, { page: 2, pageCount: 2, place: 3, shared: true }]

describe('ChaosMemory', () => {
  it('keeps the contents of memory that moves', () => {
    const memory = createMemory()
    const bytes = Uint8Array.from({ length: 4 * PAGE }, (_, at) => at % 251)
    memory.guest.store(IOVA, bytes)
    memory.apply(0, moved)
    expect(memory.guest.bytesAt(IOVA, 4 * PAGE)).toEqual(bytes)
    expect(memory.regionsOf(0).map(({ iova, byteLength }) => [iova, byteLength])).toEqual([
      [IOVA, 2 * PAGE],
      [IOVA + 2 * PAGE, 2 * PAGE]
    ])
  })

  it('finds nothing wrong while nobody writes to where memory was', () => {
    const memory = createMemory()
    memory.apply(0, moved)
    memory.guest.fill(IOVA, 4 * PAGE, 0x11)
    expect(() => memory.check()).not.toThrow()
  })

  it('finds a write to where memory was', () => {
    const memory = createMemory()
    const before = memory.guest.locate(IOVA + 3 * PAGE, 8)
    memory.apply(0, moved)
    before.file.bytes[before.position + 5] = 0
    expect(() => memory.check()).toThrow('Memory that was taken away was written to: place 0 of 0x103005.')
  })

  it('finds a write to where memory is about to go', () => {
    const memory = createMemory()
    memory.apply(0, moved)
    const place = memory.guest.locate(IOVA + 2 * PAGE, 8)
    memory.apply(0, [{ page: 0, pageCount: 4, place: 0, shared: true }])
    place.file.bytes[place.position] = 0
    expect(() => memory.apply(0, moved)).toThrow('was written to')
  })

  it('does not touch pages that stay', () => {
    const memory = createMemory()
    const { file, position } = memory.guest.locate(IOVA, 8)
    memory.apply(0, moved)
    expect(memory.guest.locate(IOVA, 8)).toEqual({ file, position })
  })
})
