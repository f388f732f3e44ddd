import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { BLOCK_BACKEND } from '@pcikit/block'
import { DEVICE, isPcikitError, PcikitError } from '@pcikit/core'
import type { Extensions, Plugin } from '@pcikit/core'
import { createHost, loadPlugin } from '@pcikit/core/host'
import type { RunRequest } from '../run-devices.js'
import { checkOptions } from './check-options.js'
import { suggest } from './closest-word.js'
import { parseConfig, toPlain } from './config-value.js'
import { nameBackends } from './named-backends.js'
import { Problems } from './problems.js'
import type { Span } from './problems.js'
import { readConfig } from './read-config.js'
import type { ConfigDraft, DeviceDraft, Written } from './read-config.js'

/** What a file of devices comes to. */
export interface LoadedConfig extends Pick<RunRequest, 'devices' | 'records' | 'folder'> {
  /** Those that were there already, those that the file names, and one with its back ends. */
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
  const plugins = [...builtIn, ...named]
  const extensions = register(plugins, draft, problems)
  if (extensions !== undefined) {
    await new ConfigCheck(draft, extensions, problems, named.length === draft.plugins.length).run()
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
        problems.add(at, explain(error))
      })
    )
  )
  return loaded.filter(plugin => plugin !== undefined)
}

/** What all plugins contribute, where they go together. */
function register (plugins: readonly Plugin[], draft: ConfigDraft, problems: Problems): Extensions | undefined {
  try {
    return createHost({ plugins }).extensions
  } catch (error) {
    const first = draft.plugins.at(0)
    if (first === undefined) throw error
    problems.add({ start: first.at.start, end: draft.plugins.at(-1)?.at.end ?? first.at.end }, explain(error))
    return undefined
  }
}

function explain (error: unknown): string {
  if (!isPcikitError(error)) throw error
  const { cause } = error
  return cause instanceof Error && error.code === 'PCIKIT_PLUGIN_INVALID' ?
    `${error.message} ${cause.message}` :
    error.message
}

/** What of a file is right only if there are plugins for it. */
class ConfigCheck {
  readonly #draft: ConfigDraft
  readonly #extensions: Extensions
  readonly #problems: Problems
  /** Where a plugin is missing, so may be what it contributes. */
  readonly #knowsAll: boolean
  /** The devices that use the named back ends. */
  readonly #users = new Map<string, string>()

  constructor (draft: ConfigDraft, extensions: Extensions, problems: Problems, knowsAll: boolean) {
    this.#draft = draft
    this.#extensions = extensions
    this.#problems = problems
    this.#knowsAll = knowsAll
  }

  async run (): Promise<void> {
    const kinds = this.#extensions.list(BLOCK_BACKEND).map(({ value }) => value.name)
    for (const { name, spec } of this.#draft.backends) {
      if (kinds.includes(name.text)) {
        this.#problems.add(name.at, `\`${name.text}\` is a kind of back end already; choose another name`)
      }
      this.#checkSpec(spec, kinds)
    }
    for (const device of this.#draft.devices) await this.#checkDevice(device)
  }

  async #checkDevice ({ name, type, options }: DeviceDraft): Promise<void> {
    if (type === undefined) return
    const types = this.#extensions.list(DEVICE)
    const found = types.find(({ value }) => value.name === type.text)?.value
    if (found === undefined) {
      const words = types.map(({ value }) => value.name)
      this.#missing(type.at, `there is no device type \`${type.text}\`; ${suggest(type.text, words)}`)
      return
    }
    const checked = { type: type.text, schema: found.options, options, at: name.at }
    for (const backend of await checkOptions(checked, this.#problems)) this.#checkUse(backend, name.text)
  }

  /** A back end that a device uses: one of the file by its name, or a description of one. */
  #checkUse (backend: Written, device: string): void {
    const names = this.#draft.backends.map(({ name }) => name.text)
    if (!names.includes(backend.text)) {
      const kinds = this.#extensions.list(BLOCK_BACKEND).map(({ value }) => value.name)
      this.#checkSpec(backend, [...names, ...kinds])
      return
    }
    const user = this.#users.get(backend.text)
    this.#users.set(backend.text, device)
    if (user === undefined) return
    this.#problems.add(
      backend.at,
      `the back end \`${backend.text}\` is used already, by \`${user}\`: each use would open it again. Give it a second ` +
        'name if that is meant'
    )
  }

  #checkSpec ({ text, at }: Written, words: readonly string[]): void {
    const [kind = '', ...rest] = text.split(':')
    const found = this.#extensions.list(BLOCK_BACKEND).find(({ value }) => value.name === kind)
    if (found === undefined) {
      const isPath = /[./]/.test(kind)
      const hint = isPath ? `write \`file:${text}\` for a file` : suggest(kind, words)
      this.#missing(at, `there is no back end \`${kind}\`; ${hint}`)
      return
    }
    try {
      found.value.check?.(rest.join(':'))
    } catch (error) {
      this.#problems.add(at, explain(error))
    }
  }

  #missing (at: Span, message: string): void {
    if (this.#knowsAll) this.#problems.add(at, message)
  }
}
