import { describe, expect, it } from 'vitest'
import { msixBar } from '../src/index.js'

describe('msixBar', () => {
  it('has a page for the table and a page for the PBA', () => {
    expect(msixBar(1, 3)).toEqual({
      bar: { index: 1, kind: 'memory32', byteLength: 8192 },
      msix: { vectors: 3, tableBar: 1, tableOffset: 0, pbaBar: 1, pbaOffset: 4096 }
    })
  })

  it('grows with the number of vectors', () => {
    expect(msixBar(4, 257)).toMatchObject({ bar: { byteLength: 16384 }, msix: { pbaOffset: 8192 } })
    expect(msixBar(4, 2048)).toMatchObject({ bar: { byteLength: 65536 }, msix: { pbaOffset: 32768 } })
  })
})
