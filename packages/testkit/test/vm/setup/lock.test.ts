import { spawnSync } from 'node:child_process'
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { withLock } from '../../../src/vm/setup/lock.mjs'

describe('withLock', () => {
  let folder: string
  let path: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pcikit-lock-'))
    path = join(folder, 'lock')
  })

  afterEach(async () => {
    await rm(folder, { recursive: true })
  })

  it('lets one in after another', async () => {
    const steps: string[] = []
    const waits: number[] = []
    let release = (): void => undefined
    const held = new Promise<void>(resolve => {
      release = resolve
    })
    const entered = new Promise<void>(resolve => {
      void withLock(path, async () => {
        resolve()
        steps.push('first in')
        await held
        steps.push('first out')
      }, () => undefined)
    })
    await entered
    const second = withLock(path, async () => {
      steps.push('second in')
    }, owner => {
      waits.push(owner)
      release()
    })
    await second
    expect(steps).toEqual(['first in', 'first out', 'second in'])
    expect(waits).toEqual([process.pid])
  })

  it('takes over the lock of a process that is gone', async () => {
    const { pid } = spawnSync(process.execPath, ['--version'])
    await writeFile(path, String(pid))
    expect(await withLock(path, async () => 'done', () => undefined)).toBe('done')
  })

  it('lets go when the work fails', async () => {
    await expect(withLock(path, () => Promise.reject(new Error('no')), () => undefined)).rejects.toThrow('no')
    await expect(access(path)).rejects.toThrow('ENOENT')
  })
})
