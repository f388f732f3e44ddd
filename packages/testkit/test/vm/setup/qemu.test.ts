import { describe, expect, it } from 'vitest'
import { isRecentQemu, parseQemuVersion } from '../../../src/vm/setup/qemu.mjs'

describe('parseQemuVersion', () => {
  it("reads the version of a distribution's and of a plain build", () => {
    expect(parseQemuVersion('QEMU emulator version 11.1.3 (Debian 1:11.1.3+ds-1~bpo13+1)\nCopyright')).toBe('11.1.3')
    expect(parseQemuVersion('QEMU emulator version 10.1\n')).toBe('10.1')
  })

  it('finds none in other text', () => {
    expect(parseQemuVersion('qemu-img version 11.1.3')).toBeUndefined()
  })
})

describe('isRecentQemu', () => {
  it.each(['10.1.0', '10.2.1', '11.0', '12.1.0'])('accepts %s', version => {
    expect(isRecentQemu(version)).toBe(true)
  })

  it.each(['7.2.9', '9.9.9', '10.0.13'])('refuses %s', version => {
    expect(isRecentQemu(version)).toBe(false)
  })
})
