import { describe, expect, it } from 'vitest'
import { contribute, silentLogger } from '@pcikit/core'
import type { Extensions, NamedContribution, OwnedContribution, Plugin } from '@pcikit/core'
import blockPlugin, { BLOCK_BACKEND, MemoryBackend, NullBackend, openBlockBackend } from '../src/index.js'
import type { BlockBackendContribution } from '../src/index.js'

/** The contributions of these plugins, as a host offers them. */
function extensionsOf (...plugins: readonly Pick<Plugin, 'name' | 'contributes'>[]): Extensions {
  const list = (): OwnedContribution<never>[] =>
    plugins.flatMap(plugin => plugin.contributes.map(({ value }) => ({ value: value as never, plugin: plugin.name })))
  return {
    list,
    get: <C extends NamedContribution>(): OwnedContribution<C> => {
      throw new Error('not used here')
    }
  }
}

function pluginWith (contribution: Partial<BlockBackendContribution>): Pick<Plugin, 'name' | 'contributes'> {
  const value = { name: 'cloud', summary: 'Far away.', usage: 'cloud:BUCKET', ...contribution }
  return { name: '@acme/cloud', contributes: [contribute(BLOCK_BACKEND, value as BlockBackendContribution)] }
}

const context = { blockSize: 512, logger: silentLogger }
const open = (spec: string, ...plugins: readonly Pick<Plugin, 'name' | 'contributes'>[]) =>
  openBlockBackend(extensionsOf(blockPlugin, ...plugins), spec, context)

describe('openBlockBackend', () => {
  it('opens what the plugin contributes', async () => {
    await using memory = await open('memory:64KiB')
    await using nothing = await open('null:1TiB')
    expect(memory).toBeInstanceOf(MemoryBackend)
    expect(memory.blockCount).toBe(128)
    expect(nothing).toBeInstanceOf(NullBackend)
  })

  it('gives the back end all that follows the first colon', async () => {
    const seen: string[] = []
    const cloud = pluginWith({
      open: async argument => {
        seen.push(argument)
        return new NullBackend(512, context)
      }
    })
    await open('cloud:https://example.org:80/a,b', cloud)
    await open('cloud', cloud)
    expect(seen).toEqual(['https://example.org:80/a,b', ''])
  })

  it('lists what there is for a name that nobody contributed', async () => {
    await expect(open('floppy:1', pluginWith({}))).rejects.toThrow(
      expect.objectContaining({
        code: 'PCIKIT_BLOCK_SPEC_INVALID',
        message: [
          '"floppy:1" names no block back end. There are:',
          '  memory:SIZE  Memory of this process, which takes what is written and is gone when it ends.',
          '  file:PATH[,readonly][,io=threads]  A regular file or a block device. Write a comma of the path twice.',
          '  null:SIZE  Nothing: reads give zeroes and writes vanish. For benchmarks.',
          '  cloud:BUCKET  Far away.'
        ].join('\n')
      })
    )
  })

  it('suggests file: for what looks like a path', async () => {
    await expect(open('./disk.img')).rejects.toThrow('Write file:./disk.img for a file.')
  })

  it('says so when there is no back end at all', async () => {
    await expect(openBlockBackend(extensionsOf(), 'memory:1MiB', context)).rejects.toThrow('add @pcikit/block')
  })

  it('passes on what a back end says about its argument', async () => {
    await expect(open('memory:lots')).rejects.toThrow('"lots" is not a size')
    await expect(open('memory:1000')).rejects.toThrow('Give 512 or 1024 bytes.')
    await expect(open('file:')).rejects.toThrow('The file back end needs a path')
    await expect(open('file:/nowhere/disk.img')).rejects.toMatchObject({ code: 'PCIKIT_BLOCK_UNAVAILABLE' })
  })

  it('tells which back end failed, with the cause', async () => {
    const cause = new Error('no route to host')
    const cloud = pluginWith({ open: () => Promise.reject(cause) })
    await expect(open('cloud:x', cloud)).rejects.toThrow(
      expect.objectContaining({
        code: 'PCIKIT_BLOCK_UNAVAILABLE',
        message: 'The back end "cloud:x" could not be opened: no route to host',
        cause
      })
    )
  })

  it('closes and refuses a back end with other blocks than asked for', async () => {
    const other = new NullBackend(8192, { blockSize: 4096 })
    await expect(open('cloud:x', pluginWith({ open: async () => other }))).rejects.toThrow(
      'has blocks of 4096 bytes, and the device needs blocks of 512 bytes'
    )
    expect(() => other.flush()).toThrow(expect.objectContaining({ code: 'PCIKIT_BLOCK_CLOSED' }))
  })

  it.each([0, 256, 1000, 131_072, Number.NaN])('takes a block size of %d for a mistake', async blockSize => {
    await expect(openBlockBackend(extensionsOf(blockPlugin), 'null:1MiB', { ...context, blockSize })).rejects.toThrow(
      'A block size is a power of two from 512 to 65536'
    )
  })
})
