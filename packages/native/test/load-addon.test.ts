import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadAddon } from '../src/load-addon.js'

describe('the loader', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pcikit-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('says where it looked and what to do when there is no binary', () => {
    expect(() => loadAddon(folder)).toThrow(expect.objectContaining({
      name: 'PcikitError',
      code: 'PCIKIT_NATIVE_UNAVAILABLE',
      [Symbol.for('@pcikit/error')]: true,
      message: expect.stringMatching(
        /build\/Release \(no such folder\)[^]*prebuilds[^]*install g\+\+, make and python3/
      )
    }))
  })

  it('says which binary could not be loaded, and why', () => {
    mkdirSync(join(folder, 'build/Release'), { recursive: true })
    writeFileSync(join(folder, 'build/Release/broken.node'), 'not a library')
    expect(() => loadAddon(folder)).toThrow(/file too short|invalid ELF header[^]*build\/Release\/broken\.node/)
  })

  it('keeps the cause', () => {
    expect(() => loadAddon(folder)).toThrow(expect.objectContaining({ cause: expect.any(Error) }))
  })
})
