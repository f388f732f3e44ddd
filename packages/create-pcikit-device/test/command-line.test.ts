import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runCommandLine } from '../src/command-line.js'

describe('the command line', () => {
  let folder: string
  let output = ''
  let errors = ''
  const run = (words: readonly string[]): Promise<number> =>
    runCommandLine(words, { write: text => output += text }, { write: text => errors += text })

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'create-pcikit-device-'))
    output = errors = ''
  })

  afterEach(() => {
    rmSync(folder, { recursive: true })
  })

  it('makes a package, and says what comes next', async () => {
    expect(await run(['frame-grabber', '--scope', 'acme', '--dir', join(folder, 'grabber')])).toBe(0)
    expect(output).toContain(`Made @acme/pcikit-device-frame-grabber in ${join(folder, 'grabber')}.`)
    expect(output).toContain('npm install')
    expect(readdirSync(join(folder, 'grabber'))).toContain('package.json')
  })

  it('shows its options', async () => {
    expect(await run(['--help'])).toBe(0)
    expect(output).toContain('--scope <scope>')
  })

  it.each([
    { words: [], message: 'The device has no name. Try: npm create pcikit-device my-device' },
    { words: ['a', 'b'], message: "One device at a time: what is 'b' for?" },
    { words: ['a', '--colour', 'red'], message: "Unknown option '--colour'" },
    { words: ['a', '--dir'], message: "Option '--dir <value>' argument missing" }
  ])('refuses $words', async ({ words, message }) => {
    expect(await run(words)).toBe(2)
    expect(errors).toContain(`error: ${message}`)
    expect(output).toBe('')
  })
})
