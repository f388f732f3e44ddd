/**
 * Block storage behind a device: what a back end is, and the ones that come with pcikit: memory, file and null.
 *
 * @example
 * ```ts
 * import { parseSize, MemoryBackend } from '@pcikit/block'
 *
 * const backend = MemoryBackend.open(parseSize('1GiB'), { blockSize: 512 })
 * await backend.write(7, new Uint8Array(512).fill(1))
 * const block = new Uint8Array(512)
 * await backend.read(7, block)
 * await backend[Symbol.asyncDispose]()
 * ```
 *
 * @packageDocumentation
 */
export type { BlockBackend, BlockBuffers } from './block-backend.js'
export { BlockGuard } from './block-guard.js'
export type { BlockGeometry } from './block-guard.js'
export { BLOCK_BACKEND, openBlockBackend } from './open-backend.js'
export type { BlockBackendContribution, BlockOpenContext } from './open-backend.js'
export { FileBackend } from './file-backend.js'
export type { FileIo, FileSpec } from './file-spec.js'
export { LateRanges } from './late-ranges.js'
export type { BlockRange } from './late-ranges.js'
export { MemoryBackend } from './memory-backend.js'
export { NullBackend } from './null-backend.js'
export { watchSize } from './size-watch.js'
export type { SizeWatchOptions } from './size-watch.js'
export { formatSize, parseSize } from './size.js'
export { plugin as default } from './plugin.js'
