import { describe, expect, it } from 'vitest'
import { ConsoleLog } from '../../src/vm/console-log.js'

const longMs = 60_000

describe('ConsoleLog', () => {
  it('finds what came before and what comes in pieces', async () => {
    const log = new ConsoleLog()
    log.append('booting\nlog')
    await log.waitFor('booting', longMs)
    const login = log.waitFor(/login: (\w+)\n/, longMs)
    log.append('in: ro')
    log.append('ot\n')
    expect((await login)[1]).toBe('root')
  })

  it('finds the same text only as often as it came', async () => {
    const log = new ConsoleLog()
    log.append('up\nup\n')
    await log.waitFor('up', longMs)
    await log.waitFor('up', longMs)
    await expect(log.waitFor('up', 1)).rejects.toThrow(/did not come within 1 ms.*\nup\nup/)
  })

  it('takes a string as it is', async () => {
    const log = new ConsoleLog()
    log.append('a.c abc')
    expect((await log.waitFor('a.c', longMs))[0]).toBe('a.c')
    await expect(log.waitFor('a.c', 1)).rejects.toThrow('did not come')
  })

  it('gives up when the kernel panics', async () => {
    const log = new ConsoleLog()
    const waiting = log.waitFor('login:', longMs)
    log.append('[ 1.0] Kernel panic - not syncing: No working init found.\n')
    await expect(waiting).rejects.toThrow(/kernel stopped[^]*No working init/)
  })

  it('gives up when the machine ends', async () => {
    const log = new ConsoleLog()
    const waiting = log.waitFor('login:', longMs)
    log.end(new Error('QEMU ended.'))
    await expect(waiting).rejects.toThrow('QEMU ended. The guest wrote nothing on its console.')
    await expect(log.waitFor('more', longMs)).rejects.toThrow('QEMU ended.')
  })

  it('lets one wait at a time', async () => {
    const log = new ConsoleLog()
    const first = log.waitFor('x', longMs)
    await expect(log.waitFor('y', longMs)).rejects.toThrow('waits for the console already')
    log.append('x')
    await first
  })
})
