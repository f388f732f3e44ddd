import { contribute, definePlugin, DEVICE, isPlugin, PLUGIN_API_VERSION } from '@pcikit/core'
import type { Plugin } from '@pcikit/core'
import { createHost } from '@pcikit/core/host'
import { beforeEach, describe, expect, it } from 'vitest'
import type { PluginFixture } from '../plugin.js'
import { deviceUnderTest, loadPluginUnderTest } from './plugin-bench.js'
import { ProcessState } from './process-state.js'

const PACKAGE_NAME = /^(@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/

/** `PluginManifest`: who the plugin is, what it was built for, and what it contributes. */
export function describeManifest (fixture: PluginFixture): void {
  describe('manifest', () => {
    let plugin: Plugin
    beforeEach(async () => {
      plugin = await loadPluginUnderTest(fixture)
    })

    it('is the default export, made by definePlugin()', async () => {
      expect(isPlugin((await fixture.load()).default)).toBe(true)
    })

    it('has the name of a package', () => {
      expect(plugin.name).toMatch(PACKAGE_NAME)
    })

    it('was built for the plugin API of this @pcikit/core', () => {
      expect(plugin.api).toBe(PLUGIN_API_VERSION)
    })

    it('says in one line what its device is', () => {
      expect(deviceUnderTest(fixture, plugin).summary).toMatch(/^\S.*\S$/)
    })

    it('is taken by a host, which it does nothing to', async () => {
      const state = ProcessState.read()

      const host = createHost({ plugins: [...fixture.plugins ?? [], plugin] })
      await host.close()

      expect(await state.growth()).toEqual([])
    })

    it('is refused beside another owner of its device type, with both named', () => {
      const device = deviceUnderTest(fixture, plugin)
      const rival = definePlugin({
        name: 'rival-plugin',
        api: PLUGIN_API_VERSION,
        contributes: [contribute(DEVICE, device)]
      })
      expect(() => createHost({ plugins: [...fixture.plugins ?? [], plugin, rival] })).toThrowError(
        expect.objectContaining({
          code: 'PCIKIT_EXTENSION_DUPLICATE',
          details: expect.objectContaining({ owners: [plugin.name, 'rival-plugin'] })
        })
      )
    })
  })
}
