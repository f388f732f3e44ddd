import { BLOCK_BACKEND } from '@pcikit/block'
import { DEVICE } from '@pcikit/core'
import type { Extensions } from '@pcikit/core'
import { checkOptions } from './check-options.js'
import { suggest } from './closest-word.js'
import { mistakeOf } from './problems.js'
import type { Problems, Span } from './problems.js'
import type { ConfigDraft, DeviceDraft, Written } from './read-config.js'

/** What of a file is right only if there are plugins for it. */
export class ConfigCheck {
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
      this.#problems.add(at, mistakeOf(error))
    }
  }

  #missing (at: Span, message: string): void {
    if (this.#knowsAll) this.#problems.add(at, message)
  }
}
