import { describe, expect, it } from 'vitest'
import { socketOptions } from '../src/options.js'

describe('socketOptions', () => {
  it('needs a path, and has defaults for the rest', () => {
    expect(socketOptions.parse({ path: 'x.sock' })).toEqual({
      path: 'x.sock',
      mode: 0o600,
      transferBytesMax: 1048576,
      descriptorsMax: 16,
      queuedCommandsMax: 1024,
      dmaRequestsMax: 64,
      dmaTimeoutMs: 4000,
      dmaMessageLayout: 'auto'
    })
  })

  it.each([['660', 0o660], ['0660', 0o660], ['0o660', 0o660], [0o640, 0o640]])(
    'reads the mode %s',
    (mode, expected) => {
      expect(socketOptions.parse({ path: 'x', mode }).mode).toBe(expected)
    }
  )

  it.each([['888'], ['7777'], ['rw'], [0o1000], [-1]])('refuses the mode %s', mode => {
    expect(socketOptions.safeParse({ path: 'x', mode }).success).toBe(false)
  })

  it('refuses an empty path, and options that it does not know', () => {
    expect(socketOptions.safeParse({ path: '' }).success).toBe(false)
    expect(socketOptions.safeParse({ path: 'x', colour: 'blue' }).success).toBe(false)
  })

  it('shows its options as a JSON schema', () => {
    const schema = socketOptions['~standard'].jsonSchema?.input({ target: 'draft-2020-12' })

    expect(schema).toMatchObject({ properties: { path: { type: 'string' }, mode: { default: '0600' } } })
  })
})
