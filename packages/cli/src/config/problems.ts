import { isPcikitError, PcikitError } from '@pcikit/core'

/** Where something stands in a text: from one character to before another. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** What is wrong with a text, piece by piece, so that all of it can be told at once. */
export class Problems {
  readonly #file: string
  readonly #text: string
  readonly #found: { readonly at: Span, readonly message: string }[] = []

  /** `file` is its name for people. */
  constructor (file: string, text: string) {
    this.#file = file
    this.#text = text
  }

  get isEmpty (): boolean {
    return this.#found.length === 0
  }

  add (at: Span, message: string): void {
    this.#found.push({ at, message })
  }

  /** `file:line:column`. */
  locate ({ start }: Span): string {
    const lines = this.#text.slice(0, start).split('\n')
    return `${this.#file}:${lines.length}:${(lines.at(-1) ?? '').length + 1}`
  }

  /** Throws PCIKIT_CONFIG_INVALID with everything that was found, in the order of the text. */
  throwIfAny (): void {
    if (this.isEmpty) return
    const sorted = this.#found.toSorted((one, other) => one.at.start - other.at.start)
    const mistakes = sorted.length === 1 ? 'is a mistake' : `are ${sorted.length} mistakes`
    const parts = sorted.map(({ at, message }) => `\n\n${this.locate(at)}: ${message}\n${this.#show(at)}`)
    throw new PcikitError('PCIKIT_CONFIG_INVALID', `There ${mistakes} in ${this.#file}.${parts.join('')}`, {
      details: { file: this.#file, problems: sorted.map(({ at, message }) => ({ at: this.locate(at), message })) }
    })
  }

  /** The line, and below it what is meant. */
  #show ({ start, end }: Span): string {
    const lineStart = this.#text.lastIndexOf('\n', start - 1) + 1
    const next = this.#text.indexOf('\n', start)
    const lineEnd = next < 0 ? this.#text.length : next
    const line = this.#text.slice(lineStart, lineEnd).replace('\r', '')
    const number = String(this.#text.slice(0, start).split('\n').length)
    const carets = '^'.repeat(Math.max(1, Math.min(end, lineStart + line.length) - start))
    // A tab stays one, so that both lines are indented alike.
    const indent = line.slice(0, start - lineStart).replace(/[^\t]/g, ' ')
    return `  ${number} | ${line}\n  ${' '.repeat(number.length)} | ${indent}${carets}`
  }
}

/** The message of an error that is a mistake of the file. Throws all others again. */
export function mistakeOf (error: unknown): string {
  if (!isPcikitError(error)) throw error
  const { cause } = error
  return cause instanceof Error && error.code === 'PCIKIT_PLUGIN_INVALID' ?
    `${error.message} ${cause.message}` :
    error.message
}
