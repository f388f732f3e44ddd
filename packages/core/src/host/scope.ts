import 'reflect-metadata'
import { container as root, injectable } from 'tsyringe'
import type { DependencyContainer } from 'tsyringe'
import { PcikitError } from '../errors.js'
import type { Provider } from '../plugin.js'
import type { Token } from '../token.js'

/** Builds what a provider provides, in a container: for those that wrap the provider of somebody else. */
export function buildProvided<T> (container: DependencyContainer, provider: Provider<T>): T {
  if ('useFactory' in provider) return provider.useFactory(container)
  // The plugin's copy of tsyringe may be another one: what @inject() noted is on the class, where every copy sees it.
  if (typeof provider.useClass === 'function') injectable()(provider.useClass)
  return container.resolve<T>(provider.useClass)
}

interface Closer {
  readonly what: string
  readonly close: () => void | Promise<void>
}

/**
 * A tsyringe container with a lifetime. What the container leaves open is settled here: services close
 * last-built-first, children before their parent, every failure is reported, closing twice does nothing, and a token
 * that nobody registered is an error, even a class.
 *
 * ```
 *   host ──► device ──► client
 *            each closes from right to left
 * ```
 *
 * A scope only ever registers values and factories of its own, and builds a service in the scope it belongs to: a
 * singleton of a parent that is first resolved through a child would capture what the child registered.
 */
export class Scope {
  readonly name: string
  readonly #container: DependencyContainer
  readonly #parent: Scope | undefined
  readonly #stoppers: Closer[] = []
  readonly #closers: Closer[] = []
  readonly #children = new Set<Scope>()
  #closing: Promise<void> | undefined

  private constructor (name: string, container: DependencyContainer, parent: Scope | undefined) {
    this.name = name
    this.#container = container
    this.#parent = parent
  }

  /** A scope without a parent. Nothing is registered in the process-wide container of tsyringe. */
  static root (name: string): Scope {
    return new Scope(name, root.createChildContainer(), undefined)
  }

  get isClosed (): boolean {
    return this.#closing !== undefined
  }

  child (name: string): Scope {
    this.#assertOpen()
    const scope = new Scope(name, this.#container.createChildContainer(), this)
    this.#children.add(scope)
    return scope
  }

  setValue<T> (token: Token<T>, value: T): this {
    this.#assertOpen()
    this.#container.register<T>(token, { useValue: value })
    return this
  }

  has (token: Token<unknown>): boolean {
    return this.#container.isRegistered(token, true)
  }

  resolve<T> (token: Token<T>): T {
    this.#assertOpen()
    if (!this.has(token)) throw this.#notFound(String(token.description), undefined)
    return this.#container.resolve<T>(token)
  }

  /** Builds a service. What it injects is looked up here first, then in the parents. */
  build<T> (what: string, provider: Provider<T>): T {
    this.#assertOpen()
    try {
      return buildProvided(this.#container, provider)
    } catch (error) {
      throw this.#explain(what, error)
    }
  }

  /** Runs `stop` when the scope closes, before its children close: for what could still bring new ones. */
  beforeClose (what: string, stop: () => void | Promise<void>): void {
    this.#assertOpen()
    this.#stoppers.push({ what, close: stop })
  }

  /** Runs `close` when the scope closes, before whatever was added earlier. */
  onClose (what: string, close: () => void | Promise<void>): void {
    this.#assertOpen()
    this.#closers.push({ what, close })
  }

  /** Closes the children, then everything in this scope. Rejects at the end with all failures, if there were any. */
  close (): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close (): Promise<void> {
    const failures: unknown[] = []
    const attempt = async (what: string, close: () => void | Promise<void>): Promise<void> => {
      try {
        await close()
      } catch (error) {
        failures.push(new Error(`${what} did not close`, { cause: error }))
      }
    }
    for (const stopper of this.#stoppers.reverse()) await attempt(stopper.what, stopper.close)
    for (const child of [...this.#children].reverse()) await attempt(child.name, () => child.close())
    for (const closer of this.#closers.reverse()) await attempt(closer.what, closer.close)
    this.#container.clearInstances()
    if (this.#parent !== undefined) this.#parent.#children.delete(this)
    if (failures.length > 0) {
      throw new PcikitError(
        'PCIKIT_CLOSE_FAILED',
        `${this.name} closed, but not everything in it did: see the causes. Everything else was closed.`,
        { cause: new AggregateError(failures) }
      )
    }
  }

  #assertOpen (): void {
    if (this.#closing === undefined) return
    throw new PcikitError(
      'PCIKIT_HOST_CLOSED',
      `${this.name} was closed and cannot be used any more. Make a new one with createHost() or createDevice().`
    )
  }

  #notFound (wanted: string, cause: unknown): PcikitError {
    return new PcikitError(
      'PCIKIT_SERVICE_NOT_FOUND',
      `${this.name} needs the service ${wanted}, and nobody provides it. ` +
        'Add the plugin that does to the list of plugins, or check the token in @inject().',
      { cause, details: { service: wanted } }
    )
  }

  /** Tells errors of tsyringe itself, which name no plugin and no remedy, from errors of the service's constructor. */
  #explain (what: string, error: unknown): unknown {
    const message = error instanceof Error ? error.message : ''
    const token = /unregistered dependency token: "([^"]*)"/i.exec(message)?.[1]
    if (token !== undefined) return this.#notFound(token.replace(/^Symbol\((.*)\)$/, '$1'), error)
    if (!message.includes('TypeInfo not known')) return error
    return new PcikitError(
      'PCIKIT_PLUGIN_INVALID',
      `${what} cannot be built: its constructor has parameters without @inject(). Mark each with the token of what ` +
        'it wants.',
      { cause: error }
    )
  }
}
