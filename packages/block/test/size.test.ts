import { describe, expect, it } from 'vitest'
import { blockCountOf, formatSize, parseSize } from '../src/size.js'

describe('parseSize', () => {
  it.each([
    ['1', 1],
    ['4096', 4096],
    ['4096b', 4096],
    ['1 byte', 1],
    ['512 bytes', 512],
    ['1K', 1024],
    ['1KiB', 1024],
    ['64 MiB', 67_108_864],
    ['1GiB', 1_073_741_824],
    ['1g', 1_073_741_824],
    ['1gib', 1_073_741_824],
    ['1.5GiB', 1_610_612_736],
    ['2T', 2_199_023_255_552],
    ['7PiB', 7_881_299_347_898_368],
    ['  8M ', 8_388_608]
  ])('reads %s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  it.each([
    '',
    ' ',
    'GiB',
    '-1',
    '+1',
    '1e9',
    '0x10',
    '1,5G',
    '1GiBs',
    '1 G iB',
    '1..5G',
    'Infinity',
    'NaN',
    '1E',
    '1ib'
  ])(
    'refuses "%s" and shows what a size is',
    text => {
      expect(() => parseSize(text)).toThrow(
        expect.objectContaining({
          code: 'PCIKIT_BLOCK_SPEC_INVALID',
          message: expect.stringContaining('1GiB') as string
        })
      )
    }
  )

  it('refuses units that mean a power of 10 to some', () => {
    expect(() => parseSize('1GB')).toThrow('"1GB" could be a power of 10 or of 2. Write GiB for the power of 2')
  })

  it('refuses a fraction of a byte', () => {
    expect(() => parseSize('1.0001KiB')).toThrow('not a whole number of bytes')
  })

  it('refuses nothing', () => {
    expect(() => parseSize('0GiB')).toThrow('is no size at all')
  })

  it.each(['8PiB', '9007199254740992'])('refuses %s, which a double no longer counts exactly', text => {
    expect(() => parseSize(text)).toThrow('too large')
  })
})

describe('formatSize', () => {
  it.each([
    [1, '1 bytes'],
    [1000, '1000 bytes'],
    [1536, '1536 bytes'],
    [4096, '4 KiB'],
    [1_073_741_824, '1 GiB'],
    [1_610_612_736, '1536 MiB'],
    [17_592_186_044_416, '16 TiB']
  ])('writes %d', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text)
  })
})

describe('blockCountOf', () => {
  it('counts blocks', () => {
    expect(blockCountOf(1_073_741_824, 512)).toBe(2_097_152)
  })

  it('refuses a part of a block and names the sizes that fit', () => {
    expect(() => blockCountOf(1000, 512)).toThrow(
      expect.objectContaining({
        code: 'PCIKIT_BLOCK_SPEC_INVALID',
        message: 'A size of 1000 bytes is not whole blocks of 512 bytes. Give 512 or 1024 bytes.'
      })
    )
  })

  it('refuses less than a block', () => {
    expect(() => blockCountOf(512, 4096)).toThrow('Give 4096 bytes.')
  })
})
