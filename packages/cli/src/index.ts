/**
 * The `pcikit` command, as a library: the command line and what it is made of.
 *
 * @example
 * ```ts
 * import { createCommandLine } from '@pcikit/cli'
 * import type { Plugin } from '@pcikit/core'
 *
 * export function run (plugins: readonly Plugin[], words: readonly string[]) {
 *   return createCommandLine(plugins).parseAsync(words, { from: 'user' })
 * }
 * ```
 *
 * @packageDocumentation
 */
export { createCommandLine } from './command-line.js'
export type { Actions, Development } from './command-line.js'
export { describeOptions } from './device-options.js'
export type { DeviceOption } from './device-options.js'
export type { LoggerOptions } from './command-logger.js'
export { qemuCommand } from './qemu-command.js'
export type { RecordOutput } from './keep-record.js'
export type { DeviceRequest, RunRequest } from './run-devices.js'
export type { DevRequest } from './dev/develop-device.js'
export type { Build, Builds } from './dev/plugin-workshop.js'
