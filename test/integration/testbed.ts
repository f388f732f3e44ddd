import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import block from '@pcikit/block'
import type { Logger, Plugin } from '@pcikit/core'
import { createHost } from '@pcikit/core/host'
import type { Host, RecordEntry } from '@pcikit/core/host'
import nvme from '@pcikit/device-nvme'
import dma from '@pcikit/dma'
import { GuestMemory, MappedDoorbells, NvmeDriver, PciDriver, VfioUserClient } from '@pcikit/testkit'
import type { Doorbells, IrqRecorder, NvmeDriverOptions, VfioUserClientOptions } from '@pcikit/testkit'
import socket from '@pcikit/transport-socket'

const MIB = 1024 * 1024
export const BLOCK_BYTES = 512

/** What a test ends with, last first. */
export class Cleanup {
  readonly #actions: (() => unknown)[] = []

  add<T> (value: T, action: (value: T) => unknown): T {
    this.#actions.push(() => action(value))
    return value
  }

  async run (): Promise<void> {
    for (const action of this.#actions.splice(0).reverse()) await action()
  }
}

/** A folder that is gone after the test. */
export function createFolder (cleanup: Cleanup): string {
  return cleanup.add(
    mkdtempSync(join(tmpdir(), 'pcikit-')),
    folder => rmSync(folder, { recursive: true, force: true })
  )
}

/** A served device. */
export interface Served {
  readonly host: Host
  readonly path: string
  /** What was logged at warn and above. */
  readonly warnings: readonly string[]
  events(): readonly RecordEntry[]
}

/** Composes the real parts in this process and serves a controller with 4 MiB of memory, or what the options say. */
export async function serve (
  cleanup: Cleanup,
  options: Record<string, unknown> = {},
  transport: Record<string, unknown> = {},
  socketName = 'nvme.sock'
): Promise<Served> {
  return serveDevice(cleanup, {
    plugin: nvme,
    type: 'nvme',
    options: { backends: ['memory:4MiB'], ...options },
    transport,
    socketName
  })
}

/** A device, of whatever type. */
export interface DeviceRequest {
  readonly plugin: Plugin
  readonly type: string
  readonly options: Record<string, unknown>
  readonly transport?: Record<string, unknown>
  readonly socketName?: string
}

/** Composes the real parts in this process and serves a device. */
export async function serveDevice (cleanup: Cleanup, request: DeviceRequest): Promise<Served> {
  const { plugin, type, options, transport = {}, socketName = 'device.sock' } = request
  const path = join(createFolder(cleanup), socketName)
  const warnings: string[] = []
  const host = createHost({ plugins: [socket, dma, block, plugin], logger: collectWarnings(warnings) })
  cleanup.add(host, () => host.close())
  await host.createDevice({ type, options, transport: { type: 'socket', options: { path, ...transport } } })
  return { host, path, warnings, events: () => host.record.entries() }
}

function collectWarnings (warnings: string[]): Logger {
  const keep = (...words: unknown[]): void => void warnings.push(words.map(String).join(' '))
  const drop = (): void => undefined
  const logger: Logger = {
    trace: drop,
    debug: drop,
    info: drop,
    warn: keep,
    error: keep,
    fatal: keep,
    child: () => logger
  }
  return logger
}

/** How a guest is attached. */
export interface GuestOptions {
  readonly client?: VfioUserClientOptions
  /** Adds the guest's memory; 16 MiB in one region at 1 MiB unless given. */
  readonly layOut?: (memory: GuestMemory) => void
  readonly doorbells?: 'trap' | 'posted' | 'mmap'
  /** Interrupts in place of polling. */
  readonly interrupts?: 'intx' | 'msi' | 'msix'
  readonly vectors?: number
  readonly driver?: Partial<NvmeDriverOptions>
}

/** A client with memory, the function's bus driver, and a driver for the controller, which is not enabled yet. */
export interface Guest {
  readonly client: VfioUserClient
  readonly memory: GuestMemory
  readonly pci: PciDriver
  readonly driver: NvmeDriver
  readonly irqs: IrqRecorder | undefined
  /** The client goes, without a word to the controller. */
  leave(): void
}

/** Connects, maps memory and switches the function on, as firmware and bus driver do. */
export async function attachGuest (cleanup: Cleanup, path: string, options: GuestOptions = {}): Promise<Guest> {
  const memory = new GuestMemory()
  const layOut = options.layOut ?? (target => void target.add({ iova: MIB, byteLength: 16 * MIB }))
  layOut(memory)
  const client = await VfioUserClient.connect(path, { memory, ...options.client })
  await memory.map(client)
  const pci = new PciDriver(client)
  await pci.enable()
  const irqs = await enableInterrupts(pci, options)
  const driver = new NvmeDriver({
    access: client,
    memory,
    doorbells: await chooseDoorbells(client, options),
    ...(irqs === undefined ? {} : { interrupts: { kind: options.interrupts!, recorder: irqs } }),
    ...options.driver
  })
  let isGone = false
  const leave = (): void => {
    if (isGone) return
    isGone = true
    driver.abandon('The guest is gone.')
    client.close()
    driver.doorbells.close()
    irqs?.close()
    memory.close()
  }
  cleanup.add(leave, () => leave())
  return { client, memory, pci, driver, irqs, leave }
}

async function chooseDoorbells (client: VfioUserClient, options: GuestOptions): Promise<'trap' | 'posted' | Doorbells> {
  if (options.doorbells !== 'mmap') return options.doorbells ?? 'trap'
  return MappedDoorbells.map(await client.getRegionInfo(0))
}

async function enableInterrupts (pci: PciDriver, options: GuestOptions): Promise<IrqRecorder | undefined> {
  if (options.interrupts === 'msix') return pci.enableMsix(options.vectors ?? 8)
  if (options.interrupts === 'msi') return pci.enableMsi()
  return options.interrupts === 'intx' ? pci.enableIntx() : undefined
}

/** Waits for something that is only to be seen in passing. The test's timeout is the limit. */
export async function until (isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!await isTrue()) await delay(2)
}

/** What the descriptors of a process stand for, apart from those that come and go with Node. */
export function openDescriptors (pid: number | 'self' = 'self'): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap(entry => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${entry}`)]
    } catch {
      return []
    }
  })
}

/** How many descriptors and mappings of guest memory a process has. */
export function guestMemoryUses (pid: number | 'self' = 'self'): { descriptors: number, mappings: number } {
  const isGuestMemory = (text: string): boolean => text.includes('memfd:guest-memory')
  return {
    descriptors: openDescriptors(pid).filter(isGuestMemory).length,
    mappings: readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n').filter(isGuestMemory).length
  }
}
