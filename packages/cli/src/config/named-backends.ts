import { BLOCK_BACKEND, openBlockBackend } from '@pcikit/block'
import { contribute, definePlugin, PLUGIN_API_VERSION } from '@pcikit/core'
import type { Extensions, Plugin } from '@pcikit/core'
import type { NamedBackend } from './read-config.js'

/**
 * Makes the back ends of a file kinds of their own, so that devices open them by name, whoever wrote the devices.
 * `extensions` has the kinds that they are made of.
 */
export function nameBackends (file: string, backends: readonly NamedBackend[], extensions: Extensions): Plugin {
  return definePlugin({
    name: `the back ends of ${file}`,
    api: PLUGIN_API_VERSION,
    contributes: backends.map(({ name, spec }) =>
      contribute(BLOCK_BACKEND, {
        name: name.text,
        summary: spec.text,
        usage: name.text,
        open: (_, context) => openBlockBackend(extensions, spec.text, context)
      })
    )
  })
}
