import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isPcikitError, PcikitError } from '@pcikit/core'
import type { Plugin } from '@pcikit/core'
import { loadPlugin } from '@pcikit/core/host'
import type { BuildContext, BuildOptions, BuildResult } from 'esbuild'
import type { PluginSource } from './find-source.js'
import { loadEsbuild } from './load-esbuild.js'
import type { Esbuild } from './load-esbuild.js'

/** What came of a change of the source. */
export interface Build {
  /** The files that changed since the last build that could be used, from the plugin's folder; empty if not known. */
  readonly changed: readonly string[]
  /** The plugin, or why there is none. */
  readonly outcome: { readonly plugin: Plugin } | { readonly failure: PcikitError }
}

/** The builds of a plugin under development. */
export interface Builds {
  /** What the first build came to. */
  readonly plugin: Plugin
  /** Has `listener` called for each build from the second one on, one after the other. Called once. */
  follow(listener: (build: Build) => void): void
}

/** Where builds are, from the plugin's folder: what they import is found from there. */
const CACHE = 'node_modules/.cache/pcikit-dev'

/** Compiles a plugin whenever its source changes, and imports what came of it. Close it: it watches until then. */
export class PluginWorkshop implements Builds, AsyncDisposable {
  readonly #source: PluginSource
  readonly #esbuild: Esbuild
  /** Of this process alone. */
  readonly #folder: string
  #context: BuildContext | undefined = undefined
  #plugin: Plugin | undefined = undefined
  #listener: (build: Build) => void = () => undefined
  #count = 0
  /** Of the last build that could be used. */
  #text = ''
  #digests: ReadonlyMap<string, string> = new Map()

  private constructor (source: PluginSource, esbuild: Esbuild) {
    this.#source = source
    this.#esbuild = esbuild
    this.#folder = join(source.folder, CACHE, String(process.pid))
    process.once('exit', this.#leave)
  }

  /** Builds a plugin for the first time, and watches it from then on. Rejects where it cannot be used. */
  static async open (source: PluginSource): Promise<PluginWorkshop> {
    const workshop = new PluginWorkshop(source, await loadEsbuild(source.folder))
    try {
      await workshop.#watch()
      return workshop
    } catch (error) {
      await workshop[Symbol.asyncDispose]()
      throw error
    }
  }

  get plugin (): Plugin {
    if (this.#plugin === undefined) throw new TypeError('A workshop has a plugin once it was opened.')
    return this.#plugin
  }

  follow (listener: (build: Build) => void): void {
    this.#listener = listener
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    await this.#context?.dispose()
    this.#leave()
    process.off('exit', this.#leave)
  }

  async #watch (): Promise<void> {
    // Errors then say where they are in the source. What was imported before keeps what it has.
    process.setSourceMapsEnabled(true)
    let end: (build: Build) => void = () => undefined
    const first = new Promise<Build>(resolve => {
      end = resolve
    })
    const onEnd = async (result: BuildResult): Promise<void> => {
      const build = await this.#take(result)
      if (build === undefined) return
      end(build)
      this.#listener(build)
    }
    this.#context = await this.#esbuild.context({
      ...optionsOf(this.#source, join(this.#folder, 'build.mjs')),
      plugins: [{ name: 'pcikit-dev', setup: build => build.onEnd(onEnd) }]
    })
    await this.#context.watch()
    const { outcome } = await first
    if ('failure' in outcome) throw outcome.failure
    this.#plugin = outcome.plugin
  }

  /** Undefined where the build is the one that is there already. */
  async #take (result: BuildResult): Promise<Build | undefined> {
    if (result.errors.length > 0) return { changed: [], outcome: { failure: await this.#explain(result) } }
    const text = result.outputFiles?.[0]?.text ?? ''
    if (text === this.#text) return undefined
    const digests = this.#digest(result)
    const changed = [...digests].filter(([file, digest]) => this.#digests.get(file) !== digest).map(([file]) => file)
    try {
      const plugin = await this.#import(text)
      this.#text = text
      this.#digests = digests
      return { changed, outcome: { plugin } }
    } catch (error) {
      if (!isPcikitError(error)) throw error
      return { changed, outcome: { failure: error } }
    }
  }

  /** Every build is a module of its own: there is no way to import one a second time. */
  async #import (text: string): Promise<Plugin> {
    this.#removeFiles()
    mkdirSync(this.#folder, { recursive: true })
    const file = join(this.#folder, `build-${++this.#count}.mjs`)
    writeFileSync(file, text)
    const plugin = await loadPlugin(file, { from: this.#source.folder })
    return Object.freeze({ ...plugin, origin: { ...plugin.origin, file: this.#source.entry } })
  }

  async #explain ({ errors }: BuildResult): Promise<PcikitError> {
    const color = process.stderr.isTTY
    const messages = await this.#esbuild.formatMessages([...errors], { kind: 'error', color })
    return new PcikitError(
      'PCIKIT_PLUGIN_INVALID',
      `${this.#source.entry} does not compile. Correct what esbuild says:\n\n${messages.join('').trimEnd()}`,
      { details: { file: this.#source.entry } }
    )
  }

  #digest ({ metafile }: BuildResult): ReadonlyMap<string, string> {
    const files = Object.keys(metafile?.inputs ?? {})
    return new Map(files.map(file => [file, digestOf(resolve(this.#source.folder, file))]))
  }

  /**
   * Ends the compiler, too. It would go by itself when this process has ended, but not where that left one of its pings
   * without an answer.
   */
  readonly #leave = (): void => {
    void this.#esbuild.stop()
    this.#removeFiles()
  }

  #removeFiles (): void {
    rmSync(this.#folder, { recursive: true, force: true })
    try {
      rmdirSync(dirname(this.#folder))
    } catch {
      // Another process works on the same plugin, or nothing was built yet.
    }
  }
}

/** A file may be gone by the time that it is looked at: the next build knows. */
function digestOf (file: string): string {
  return existsSync(file) ? createHash('sha1').update(readFileSync(file)).digest('hex') : ''
}

function optionsOf ({ entry, folder }: PluginSource, outfile: string): BuildOptions & { readonly write: false } {
  const here = {
    'import.meta.url': JSON.stringify(pathToFileURL(entry).href),
    'import.meta.filename': JSON.stringify(entry),
    'import.meta.dirname': JSON.stringify(dirname(entry))
  }
  return {
    absWorkingDir: folder,
    entryPoints: [entry],
    outfile,
    write: false,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    sourcemap: 'inline',
    metafile: true,
    logLevel: 'silent',
    define: here,
    ...(hasConfig(dirname(entry)) ? {} : { tsconfigRaw: { compilerOptions: { experimentalDecorators: true } } })
  }
}

/** Whether esbuild finds a tsconfig.json, which then says what decorators are. */
function hasConfig (folder: string): boolean {
  if (existsSync(join(folder, 'tsconfig.json'))) return true
  return folder !== dirname(folder) && hasConfig(dirname(folder))
}
