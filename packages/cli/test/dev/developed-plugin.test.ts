import { contribute, definePlugin, DEVICE, PLUGIN_API_VERSION } from '@pcikit/core'
import type { Plugin } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { chooseDeviceType, findDevTarget, replacePlugin } from '../../src/dev/developed-plugin.js'
import { diskOptions } from '../disk-options.js'

function plugin (name: string, ...types: string[]): Plugin {
  const provider = { useFactory: () => undefined as never }
  return definePlugin({
    name,
    api: PLUGIN_API_VERSION,
    contributes: types.map(type =>
      contribute(DEVICE, { name: type, summary: 'a device', options: diskOptions, provider })
    )
  })
}

describe('what is to be developed', () => {
  it.each([
    [['dev', './x', '--socket', 'a'], { plugin: './x', type: undefined }],
    [['dev', './x', '--type', 'disk'], { plugin: './x', type: 'disk' }],
    [['dev', './x', '--type=disk'], { plugin: './x', type: 'disk' }],
    [['dev'], undefined],
    [['dev', '--help'], undefined],
    [['run', 'dev'], undefined]
  ])('is found in %j', (words, target) => {
    expect(findDevTarget(words)).toEqual(target)
  })

  it('is the only device type, or the one that is named', () => {
    expect(chooseDeviceType(plugin('p', 'one'), undefined).name).toBe('one')
    expect(chooseDeviceType(plugin('p', 'one', 'two'), 'two').name).toBe('two')
  })

  it.each([
    [plugin('p', 'one', 'two'), undefined, 'Say which one with --type'],
    [plugin('p', 'one'), 'two', "no device type 'two'. It has: one"],
    [plugin('p'), undefined, 'contributes no device type']
  ])('is not clear', (each, type, message) => {
    expect(() => chooseDeviceType(each, type)).toThrow(message)
  })

  it('stands in the place of plugins of its name, and of those with the same device', () => {
    const [other, developed] = [plugin('other', 'other'), plugin('mine', 'nvme')]
    const replaced = [plugin('mine', 'old'), plugin('built-in', 'nvme')]
    expect(replacePlugin([other, ...replaced], developed)).toEqual([other, developed])
  })
})
