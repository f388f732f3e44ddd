import { resolve } from 'node:path'
import { LOG_LEVELS } from '../command-logger.js'
import { parseSocketMode, SOCKET_MODE } from '../socket-mode.js'
import { suggest } from './closest-word.js'
import type { ConfigEntry, ConfigValue } from './config-value.js'
import type { Problems, Span } from './problems.js'

/** A word of the file, and where it stands. */
export interface Written {
  readonly text: string
  readonly at: Span
}

/** A back end under a name that devices use. */
export interface NamedBackend {
  readonly name: Written
  readonly spec: Written
}

/** A device as the file has it. What is undefined was not given, or was not right. */
export interface DeviceDraft {
  readonly name: Written
  readonly type: Written | undefined
  readonly socket: Written
  readonly socketMode: number
  readonly logLevel: string | undefined
  readonly record: Written | undefined
  readonly unmapDeadlineMs: number | undefined
  readonly options: ConfigValue | undefined
}

/** What a file says, before anything is known about plugins. */
export interface ConfigDraft {
  readonly plugins: readonly Written[]
  /** `plugins: discover`, where that stands in place of a list. */
  readonly discover: Written | undefined
  readonly backends: readonly NamedBackend[]
  readonly devices: readonly DeviceDraft[]
}

/** In place of a list of plugins: those among the dependencies of the application that the file is part of. */
const DISCOVER = 'discover'
const FILE_KEYS = ['plugins', 'backends', 'devices']
const DEVICE_KEYS = ['type', 'socket', 'socketMode', 'logLevel', 'record', 'unmapDeadlineMs', 'options']
const OPTIONS_HINT = ' Options of its type stand below `options`.'

/** What plugins may call what they contribute, so that a back end can be told from a kind of back end by its name. */
const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/

/** Reads the structure of a file. Relative paths start at `folder`. What is not right is added to the problems. */
export function readConfig (root: ConfigValue, folder: string, problems: Problems): ConfigDraft {
  return new ConfigReader(folder, problems).read(root)
}

class ConfigReader {
  readonly #folder: string
  readonly #problems: Problems

  constructor (folder: string, problems: Problems) {
    this.#folder = folder
    this.#problems = problems
  }

  read (root: ConfigValue): ConfigDraft {
    const keys = this.#mapping(root, 'the file', FILE_KEYS)
    const discover = this.#discover(keys.get('plugins'))
    const listed = discover === undefined ? this.#list(keys.get('plugins')) : []
    const plugins = listed.flatMap(item => this.#text(item, 'a plugin') ?? [])
    const backends = this.#named(keys.get('backends'), 'back end').flatMap(({ key, at, value }) => {
      const spec = this.#text(value, `the back end \`${key}\``)
      return spec === undefined ? [] : [{ name: { text: key, at }, spec }]
    })
    const devices = this.#named(keys.get('devices'), 'device').map(entry => this.#device(entry))
    if (devices.length === 0 && root.entries !== undefined) {
      this.#problems.add(keys.get('devices')?.at ?? root.at, 'there is no device; write one below `devices`')
    }
    this.#assertUnique(devices.flatMap(({ socket, record }) => record === undefined ? [socket] : [socket, record]))
    return { plugins, discover, backends, devices }
  }

  #device ({ key, at, value }: ConfigEntry): DeviceDraft {
    const what = `the device \`${key}\``
    const keys = this.#mapping(value, what, DEVICE_KEYS, OPTIONS_HINT)
    const typeEntry = keys.get('type')
    if (typeEntry === undefined && value.entries !== undefined) this.#problems.add(at, `${what} has no \`type\``)
    const socket = this.#path(keys.get('socket')) ?? { text: resolve(this.#folder, `${key}.sock`), at }
    return {
      name: { text: key, at },
      type: typeEntry === undefined ? undefined : this.#text(typeEntry.value, '`type`'),
      socket,
      socketMode: this.#mode(keys.get('socketMode')),
      logLevel: this.#logLevel(keys.get('logLevel')),
      record: this.#path(keys.get('record')),
      unmapDeadlineMs: this.#milliseconds(keys.get('unmapDeadlineMs')),
      options: keys.get('options')?.value
    }
  }

  #mapping (value: ConfigValue, what: string, known: readonly string[], hint = ''): Map<string, ConfigEntry> {
    if (value.entries === undefined) {
      this.#problems.add(value.at, `${what} has to be a mapping, lines of \`key: value\``)
      return new Map()
    }
    for (const { key, at } of value.entries.filter(entry => !known.includes(entry.key))) {
      const suggestion = suggest(key, known)
      const stop = hint === '' || suggestion.endsWith('?') ? '' : '.'
      this.#problems.add(at, `unknown key \`${key}\` of ${what}; ${suggestion}${stop}${hint}`)
    }
    return new Map(value.entries.map(entry => [entry.key, entry]))
  }

  /** The entries of a mapping whose keys are names that the operator chooses. */
  #named (entry: ConfigEntry | undefined, what: string): readonly ConfigEntry[] {
    if (entry === undefined) return []
    const keys = [
      ...this.#mapping(entry.value, `\`${entry.key}\``, entry.value.entries?.map(each => each.key) ?? []).values()
    ]
    for (const { key, at } of keys.filter(each => !NAME.test(each.key))) {
      this.#problems.add(
        at,
        `\`${key}\` cannot be the name of a ${what}: names have lower-case letters, digits and single dashes, and start ` +
          'with a letter'
      )
    }
    return keys
  }

  #discover (entry: ConfigEntry | undefined): Written | undefined {
    return entry?.value.scalar === DISCOVER ? { text: DISCOVER, at: entry.value.at } : undefined
  }

  #list (entry: ConfigEntry | undefined): readonly ConfigValue[] {
    if (entry === undefined || entry.value.items !== undefined) return entry?.value.items ?? []
    this.#problems.add(entry.value.at, `\`${entry.key}\` has to be a list, like [one, other]`)
    return []
  }

  #text (value: ConfigValue, what: string): Written | undefined {
    if (typeof value.scalar === 'string' && value.scalar !== '') return { text: value.scalar, at: value.at }
    const isOther = typeof value.scalar === 'number' || typeof value.scalar === 'boolean'
    this.#problems.add(value.at, `${what} has to be text${isOther ? `; write '${value.source}' in quotes` : ''}`)
    return undefined
  }

  #path (entry: ConfigEntry | undefined): Written | undefined {
    const written = entry === undefined ? undefined : this.#text(entry.value, `\`${entry.key}\``)
    return written === undefined ? undefined : { text: resolve(this.#folder, written.text), at: written.at }
  }

  #mode (entry: ConfigEntry | undefined): number {
    if (entry === undefined) return SOCKET_MODE
    const mode = parseSocketMode(entry.value.source)
    if (mode === undefined) this.#problems.add(entry.value.at, '`socketMode` has to be octal, like 660')
    return mode ?? SOCKET_MODE
  }

  #logLevel (entry: ConfigEntry | undefined): string | undefined {
    const level = entry === undefined ? undefined : this.#text(entry.value, '`logLevel`')
    if (level === undefined || LOG_LEVELS.some(each => each === level.text)) return level?.text
    this.#problems.add(level.at, `there is no log level \`${level.text}\`; there is ${LOG_LEVELS.join(', ')}`)
    return undefined
  }

  #milliseconds (entry: ConfigEntry | undefined): number | undefined {
    if (entry === undefined) return undefined
    const { scalar, at } = entry.value
    if (typeof scalar === 'number' && Number.isInteger(scalar) && scalar > 0) return scalar
    this.#problems.add(at, `\`${entry.key}\` has to be a number of milliseconds, like 250`)
    return undefined
  }

  /** No two devices share a file that each of them makes. */
  #assertUnique (paths: readonly Written[]): void {
    const seen = new Map<string, Span>()
    for (const { text, at } of paths) {
      const other = seen.get(text)
      if (other !== undefined) this.#problems.add(at, `${text} is used already, at ${this.#problems.locate(other)}`)
      seen.set(text, at)
    }
  }
}
