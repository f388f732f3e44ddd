import { contribute, definePlugin, PLUGIN_API_VERSION } from '@pcikit/core'
import { fileContribution } from './file-backend.js'
import { memoryContribution } from './memory-backend.js'
import { nullContribution } from './null-backend.js'
import { BLOCK_BACKEND } from './open-backend.js'

const contributions = [memoryContribution, fileContribution, nullContribution]

/** The plugin: contributes the back ends memory, file and null. */
export const plugin = definePlugin({
  name: '@pcikit/block',
  api: PLUGIN_API_VERSION,
  contributes: contributions.map(contribution => contribute(BLOCK_BACKEND, contribution))
})
