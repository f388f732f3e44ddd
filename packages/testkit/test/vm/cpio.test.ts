import { describe, expect, it } from 'vitest'
import { createCpio } from '../../src/vm/cpio.js'

/** Reads an archive back, with the field numbers of the format's description. */
function readCpio (archive: Uint8Array): { name: string, mode: number, data: string }[] {
  const text = Buffer.from(archive).toString('latin1')
  const entries = []
  let at = 0
  for (;;) {
    const start = at
    const number = (index: number): number => {
      const digits = start + 6 + index * 8
      return Number.parseInt(text.slice(digits, digits + 8), 16)
    }
    expect(text.slice(at, at + 6)).toBe('070701')
    const nameLength = number(11)
    const name = text.slice(at + 110, at + 110 + nameLength - 1)
    expect(text[at + 110 + nameLength - 1]).toBe('\0')
    at = (at + 110 + nameLength + 3) & ~3
    if (name === 'TRAILER!!!') break
    entries.push({ name, mode: number(1), data: text.slice(at, at + number(6)) })
    at = (at + number(6) + 3) & ~3
  }
  expect(at).toBe(text.length)
  return entries
}

describe('createCpio', () => {
  it('writes files after the folders they are in', () => {
    const archive = createCpio([
      { path: 'pcikit/deep/script', data: 'echo', mode: 0o755 },
      { path: 'pcikit/data', data: new Uint8Array([65, 66, 67]) }
    ])
    expect(readCpio(archive)).toEqual([
      { name: 'pcikit', mode: 0o040755, data: '' },
      { name: 'pcikit/deep', mode: 0o040755, data: '' },
      { name: 'pcikit/deep/script', mode: 0o100755, data: 'echo' },
      { name: 'pcikit/data', mode: 0o100644, data: 'ABC' }
    ])
  })

  it.each([0, 1, 2, 3, 4, 5])('pads names and data of length %i', length => {
    const name = 'n'.repeat(length + 1)
    const data = 'd'.repeat(length)
    expect(readCpio(createCpio([{ path: name, data }]))).toEqual([{ name, mode: 0o100644, data }])
  })
})
