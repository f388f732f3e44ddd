import type { Plugin } from '@pcikit/core'
import { loadPlugin } from '@pcikit/core/host'
import block from '@pcikit/block'
import nvme from '@pcikit/device-nvme'
import virtioBlk from '@pcikit/device-virtio-blk'
import dma from '@pcikit/dma'
import socket from '@pcikit/transport-socket'

/** What the command brings with it. */
const BUILT_IN: readonly Plugin[] = [socket, dma, block, nvme, virtioBlk]

/** The built-in plugins, then those that the user named, resolved from the folder the command was called in. */
export async function loadPlugins (names: readonly string[], folder: string): Promise<readonly Plugin[]> {
  const named = await Promise.all(names.map(name => loadPlugin(name, { from: folder })))
  return [...BUILT_IN, ...named]
}

/** Finds `--plugin NAME` before the command line is parsed: the plugins decide what can be parsed. */
export function findPluginNames (words: readonly string[]): readonly string[] {
  const names: string[] = []
  words.forEach((word, index) => {
    const next = words[index + 1]
    if (word === '--plugin' && next !== undefined) names.push(next)
    if (word.startsWith('--plugin=')) names.push(word.slice('--plugin='.length))
  })
  return names
}
