import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BlockChaosLoad, runChaos } from '@pcikit/testkit'
import type { ChaosDisk, ChaosMemory, PciDriver, VfioUserClient } from '@pcikit/testkit'
import { expect } from 'vitest'
import type { DeviceProcess } from './device-process.js'
import { BLOCK_BYTES, createFolder } from './testbed.js'
import type { Cleanup } from './testbed.js'

/** How long all runs of a file take together, in seconds. */
export const CHAOS_SECONDS = Number(process.env['CHAOS_SECONDS'] ?? 20)
/** CHAOS_SEED replays a run, and `fresh` makes one up. */
export const CHAOS_SEED = process.env['CHAOS_SEED'] === 'fresh' ?
  Math.floor(Math.random() * 0x1_0000_0000) :
  Number(process.env['CHAOS_SEED'] ?? 3)
/** CHAOS_ACTIONS ends a run where a replay is to end. */
const ACTIONS_MAX = Number(process.env['CHAOS_ACTIONS'] ?? Infinity)
/** Blocks of the disk. */
export const CHAOS_BLOCKS = 4096

/** How a device is notified, and where its data is. With a file transfers are in flight in the kernel. */
export function chaosSetups (cleanup: Cleanup) {
  const createDisk = (): string => {
    const path = join(createFolder(cleanup), 'disk')
    writeFileSync(path, new Uint8Array(CHAOS_BLOCKS * BLOCK_BYTES))
    return `file:${path}`
  }
  return [
    { doorbells: 'trap' as const, storage: 'memory', backend: () => 'memory:2MiB', byMessage: true },
    { doorbells: 'posted' as const, storage: 'a file', backend: createDisk, byMessage: false },
    { doorbells: 'mmap' as const, storage: 'a file', backend: createDisk, byMessage: true }
  ]
}

/** What a run is done to. */
export interface ChaosSubject {
  readonly client: VfioUserClient
  readonly pci: PciDriver
  readonly memory: ChaosMemory
  readonly disk: ChaosDisk
}

/** A run of a third of the time. */
export async function expectSurvival (device: DeviceProcess, subject: ChaosSubject, byMessage: boolean): Promise<void> {
  const { client, pci, memory, disk } = subject
  const options = { memory: memory.guest, seed: CHAOS_SEED, blockBytes: BLOCK_BYTES, blockCount: CHAOS_BLOCKS }
  const report = await runChaos({
    client,
    pci,
    memory,
    load: new BlockChaosLoad({ disk, ...options }),
    seed: CHAOS_SEED,
    durationMs: 1000 * CHAOS_SECONDS / 3,
    actionsMax: ACTIONS_MAX,
    pid: device.pid,
    byMessage
  })
  expect(report.actionCount).toBeGreaterThan(0)
  expect(report.commandCount).toBeGreaterThan(report.actionCount)
  expect(device.isRunning).toBe(true)
}
