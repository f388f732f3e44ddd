import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { PcikitError } from '@pcikit/core'
import type { Extensions, Plugin } from '@pcikit/core'
import { createHost, loadPlugin } from '@pcikit/core/host'
import { addDiscovered } from '../plugins.js'
import type { RunRequest } from '../run-devices.js'
import { ConfigCheck } from './config-check.js'
import { parseConfig, toPlain } from './config-value.js'
import { nameBackends } from './named-backends.js'
import { mistakeOf, Problems } from './problems.js'
import { readConfig } from './read-config.js'
import type { ConfigDraft, DeviceDraft, Written } from './read-config.js'

/** What a file of devices comes to. */
export interface LoadedConfig extends Pick<RunRequest, 'devices' | 'records' | 'folder'> {
  /** Those that were there already, those that the file names or has discovered, and one with its back ends. */
  readonly plugins: readonly Plugin[]
  /** Levels of devices that have one of their own. */
  readonly deviceLevels: Readonly<Record<string, string>>
}

/**
 * Reads a file of devices and checks all of it. Rejects with PCIKIT_CONFIG_UNREADABLE, or with PCIKIT_CONFIG_INVALID
 * and everything that is not right.
 */
export async function loadConfig (file: string, builtIn: readonly Plugin[]): Promise<LoadedConfig> {
  const text = readText(file)
  const problems = new Problems(file, text)
  const folder = dirname(resolve(file))
  const draft = readConfig(parseConfig(text, problems), folder, problems)
  const named = await loadPlugins(draft.plugins, folder, problems)
  const { plugins, knowsAll } = await discover([...builtIn, ...named], draft, folder, problems)
  const extensions = register(plugins, draft, problems)
  if (extensions !== undefined) {
    const checks = new ConfigCheck(draft, extensions, problems, knowsAll && named.length === draft.plugins.length)
    await checks.run()
  }
  problems.throwIfAny()
  return {
    folder,
    plugins: extensions === undefined ? plugins : [...plugins, nameBackends(file, draft.backends, extensions)],
    devices: draft.devices.map(device => toRequest(device, problems)),
    records: draft.devices.flatMap(({ name, record }) =>
      record === undefined ? [] : [{ file: record.text, device: name.text }]
    ),
    deviceLevels: Object.fromEntries(
      draft.devices.flatMap(({ name, logLevel }) => logLevel === undefined ? [] : [[name.text, logLevel]])
    )
  }
}

function toRequest (device: DeviceDraft, problems: Problems): RunRequest['devices'][number] {
  const { name, type, socket, socketMode, unmapDeadlineMs, options } = device
  return {
    type: type?.text ?? '',
    name: name.text,
    source: problems.locate(name.at),
    socket: socket.text,
    socketMode,
    ...(unmapDeadlineMs === undefined ? {} : { unmapDeadlineMs }),
    options: (options === undefined ? {} : toPlain(options)) as Record<string, unknown>
  }
}

function readText (file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new PcikitError(
      'PCIKIT_CONFIG_UNREADABLE',
      `The file ${file} cannot be read. Give the path of a file of devices; docs/serve.md says what stands in it.`,
      { cause, details: { file } }
    )
  }
}

/** Those that can be loaded. */
async function loadPlugins (names: readonly Written[], folder: string, problems: Problems): Promise<readonly Plugin[]> {
  const loaded = await Promise.all(
    names.map(({ text, at }) =>
      loadPlugin(text, { from: folder }).catch((error: unknown) => {
        problems.add(at, mistakeOf(error))
      })
    )
  )
  return loaded.filter(plugin => plugin !== undefined)
}

/** Adds what `plugins: discover` finds, if the file has it. What is found and cannot be used is a mistake. */
async function discover (
  plugins: readonly Plugin[],
  { discover: written }: ConfigDraft,
  folder: string,
  problems: Problems
): Promise<{ readonly plugins: readonly Plugin[], readonly knowsAll: boolean }> {
  if (written === undefined) return { plugins, knowsAll: true }
  try {
    const found = await addDiscovered(plugins, folder)
    for (const { name, error } of found.refusals) {
      problems.add(written.at, `${name} cannot be used: ${mistakeOf(error)}`)
    }
    return { plugins: found.plugins, knowsAll: found.refusals.length === 0 }
  } catch (error) {
    problems.add(written.at, mistakeOf(error))
    return { plugins, knowsAll: false }
  }
}

/** What all plugins contribute, where they go together. */
function register (plugins: readonly Plugin[], draft: ConfigDraft, problems: Problems): Extensions | undefined {
  try {
    return createHost({ plugins }).extensions
  } catch (error) {
    const first = draft.plugins.at(0)
    if (first === undefined) throw error
    problems.add({ start: first.at.start, end: draft.plugins.at(-1)?.at.end ?? first.at.end }, mistakeOf(error))
    return undefined
  }
}
