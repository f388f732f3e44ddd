import { isAlias, isCollection, isMap, isScalar, isSeq, parseDocument } from 'yaml'
import type { Document, Node } from 'yaml'
import type { Problems, Span } from './problems.js'

/** A value of a configuration file, and where it stands. */
export interface ConfigValue {
  readonly at: Span
  /** As JavaScript has it; undefined where there are `entries` or `items`. */
  readonly scalar: string | number | boolean | null | undefined
  /** A scalar as it is written. */
  readonly source: string
  readonly entries?: readonly ConfigEntry[]
  readonly items?: readonly ConfigValue[]
}

/** A key of a mapping and what it stands for. */
export interface ConfigEntry {
  readonly key: string
  readonly at: Span
  readonly value: ConfigValue
}

/**
 * Reads YAML 1.2. Aliases are what they stand for. Throws PCIKIT_CONFIG_INVALID for what is not YAML, and for what is
 * but has no place in a configuration.
 */
export function parseConfig (text: string, problems: Problems): ConfigValue {
  const document = parseDocument(text, { prettyErrors: false })
  for (const { pos: [start, end], message } of [...document.errors, ...document.warnings]) {
    problems.add({ start, end }, `this is not YAML: ${message}`)
  }
  problems.throwIfAny()
  const root = new Reader(document, problems).read(document.contents, { start: 0, end: 0 })
  problems.throwIfAny()
  return root
}

/** The value as plain JavaScript. */
export function toPlain (value: ConfigValue): unknown {
  if (value.entries !== undefined) {
    return Object.fromEntries(value.entries.map(entry => [entry.key, toPlain(entry.value)]))
  }
  return value.items === undefined ? value.scalar : value.items.map(toPlain)
}

class Reader {
  readonly #document: Document
  readonly #problems: Problems
  readonly #known = new Map<Node, ConfigValue>()
  /** Collections that are being read: one inside itself would never end. */
  readonly #open = new Set<Node>()

  constructor (document: Document, problems: Problems) {
    this.#document = document
    this.#problems = problems
  }

  /** `fallback` is where a value is that nobody wrote. */
  read (node: unknown, fallback: Span): ConfigValue {
    if (isAlias(node)) {
      const target = node.resolve(this.#document)
      const at = spanOf(node, fallback)
      if (target !== undefined && !this.#open.has(target)) return { ...this.read(target, fallback), at }
      this.#problems.add(at, 'this alias is part of what it stands for')
      return nothing(at)
    }
    if (isScalar(node)) return this.#scalar(node, spanOf(node, fallback))
    if (!isCollection(node)) return nothing(fallback)
    const known = this.#known.get(node)
    if (known !== undefined) return known
    this.#open.add(node)
    const value = this.#collection(node, spanOf(node, fallback))
    this.#open.delete(node)
    this.#known.set(node, value)
    return value
  }

  #scalar (node: { readonly value: unknown, readonly source?: string }, at: Span): ConfigValue {
    const { value, source } = node
    const isPlain = value === null || ['string', 'number', 'boolean'].includes(typeof value)
    if (!isPlain) this.#problems.add(at, 'this is no text, number, true, false or null')
    return { at, scalar: isPlain ? value as ConfigValue['scalar'] : null, source: source ?? String(value) }
  }

  #collection (node: Node, at: Span): ConfigValue {
    if (isSeq(node)) return { ...nothing(at), scalar: undefined, items: node.items.map(item => this.read(item, at)) }
    const entries: ConfigEntry[] = []
    for (const { key, value } of isMap(node) ? node.items : []) {
      const name = this.read(key, at)
      if (typeof name.scalar === 'string') {
        entries.push({ key: name.scalar, at: name.at, value: this.read(value, name.at) })
      } else this.#problems.add(name.at, 'a key has to be text; write it in quotes')
    }
    return { ...nothing(at), scalar: undefined, entries }
  }
}

function spanOf (node: Node, fallback: Span): Span {
  return node.range == null ? fallback : { start: node.range[0], end: Math.max(node.range[1], node.range[0] + 1) }
}

function nothing (at: Span): ConfigValue {
  return { at, scalar: null, source: '' }
}
