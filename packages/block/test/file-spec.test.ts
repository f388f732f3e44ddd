import { describe, expect, it } from 'vitest'
import { parseFileSpec } from '../src/file-spec.js'
import type { FileIo } from '../src/index.js'

describe('parseFileSpec', () => {
  it.each(
    [
      ['disk.img', 'disk.img', false],
      ['disk.img,readonly', 'disk.img', true],
      ['disk.img,readonly,io=threads', 'disk.img', true, 'threads'],
      ['disk.img,io=io_uring', 'disk.img', false, 'io_uring'],
      ['disk.img,io=auto', 'disk.img', false],
      ['disk.img,,io=threads', 'disk.img,io=threads', false],
      ['/a b/c:d.img', '/a b/c:d.img', false],
      ['a,,b.img', 'a,b.img', false],
      ['a,,b.img,readonly', 'a,b.img', true],
      ['a,,,readonly', 'a,', true],
      ['a,,readonly', 'a,readonly', false],
      ['a,,,,b', 'a,,b', false]
    ] as const
  )('reads %s', (argument, path, readOnly, io: FileIo = 'auto') => {
    expect(parseFileSpec(argument)).toEqual({ path, readOnly, io })
  })

  it.each(['', ',readonly'])('refuses "%s", which has no path', argument => {
    expect(() => parseFileSpec(argument)).toThrow(
      expect.objectContaining({
        code: 'PCIKIT_BLOCK_SPEC_INVALID',
        message: 'The file back end needs a path: file:disk.img.'
      })
    )
  })

  it.each(['disk.img,ro', 'disk.img,', 'disk.img,readonly,snapshot', 'disk.img,io=aio'])(
    'refuses "%s" and tells about commas',
    argument => {
      expect(() => parseFileSpec(argument)).toThrow('If the comma is part of the path, write it twice.')
    }
  )
})
