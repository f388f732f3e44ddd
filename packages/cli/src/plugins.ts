import type { PcikitError, Plugin } from '@pcikit/core'
import { createHost, discoverPlugins, loadPlugin } from '@pcikit/core/host'
import type { PluginRefusal } from '@pcikit/core/host'
import block from '@pcikit/block'
import nvme from '@pcikit/device-nvme'
import virtioBlk from '@pcikit/device-virtio-blk'
import dma from '@pcikit/dma'
import socket from '@pcikit/transport-socket'

/** What the command brings with it. */
const BUILT_IN: readonly Plugin[] = [socket, dma, block, nvme, virtioBlk]

/** Which plugins the command was asked for. */
export interface PluginChoice {
  /** Package names and paths. */
  readonly names: readonly string[]
  /** Whether those among the dependencies of the application are meant too. */
  readonly discovers: boolean
}

/** Plugins that go together, and those that were found and are left out. */
export interface LoadedPlugins {
  readonly plugins: readonly Plugin[]
  readonly refusals: readonly PluginRefusal[]
}

/** The built-in plugins, then those that the user named, resolved from the folder the command was called in. */
export async function loadPlugins ({ names, discovers }: PluginChoice, folder: string): Promise<LoadedPlugins> {
  const named = await Promise.all(names.map(name => loadPlugin(name, { from: folder })))
  const plugins = [...BUILT_IN, ...named]
  return discovers ? addDiscovered(plugins, folder) : { plugins, refusals: [] }
}

/**
 * Adds the plugins among the dependencies of the application that a folder is in, as far as they go together with those
 * that are there. One of a name that is there already is not missed.
 */
export async function addDiscovered (plugins: readonly Plugin[], folder: string): Promise<LoadedPlugins> {
  const { plugins: discovered, refusals } = await discoverPlugins({ from: folder })
  const found = discovered.filter(({ name }) => plugins.every(plugin => plugin.name !== name))
  const unfit = new Map<Plugin, PcikitError>()
  createHost({
    plugins: [...plugins, ...found],
    onRefusal: (plugin, error) => {
      if (!found.includes(plugin)) throw error
      unfit.set(plugin, error)
    }
  })
  return {
    plugins: [...plugins, ...found.filter(plugin => !unfit.has(plugin))],
    refusals: [...refusals, ...[...unfit].map(([{ name }, error]) => ({ name, error }))]
  }
}

/** Finds `--plugin NAME` and `--discover` before the command line is parsed: the plugins decide what can be parsed. */
export function findPluginChoice (words: readonly string[]): PluginChoice {
  const names: string[] = []
  words.forEach((word, index) => {
    const next = words[index + 1]
    if (word === '--plugin' && next !== undefined) names.push(next)
    if (word.startsWith('--plugin=')) names.push(word.slice('--plugin='.length))
  })
  return { names, discovers: words.includes('--discover') }
}
