/**
 * A block back end for pcikit whose disks forget what was written: `snapshot:disk.img`. README.md shows its use.
 *
 * @packageDocumentation
 */
import { BLOCK_BACKEND } from '@pcikit/block'
import { contribute, definePlugin, PLUGIN_API_VERSION } from '@pcikit/core'
import type { Plugin } from '@pcikit/core'
import { SnapshotBackend, snapshotContribution } from './snapshot-backend.js'

export { SnapshotBackend }

/** The plugin that contributes the back end `snapshot`. */
const plugin: Plugin = definePlugin({
  name: 'pcikit-block-snapshot',
  api: PLUGIN_API_VERSION,
  contributes: [contribute(BLOCK_BACKEND, snapshotContribution)]
})

export default plugin
