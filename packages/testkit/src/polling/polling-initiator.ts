import { closeDescriptor } from '@pcikit/native'
import { join } from 'node:path'
import { GuestMemory } from '../guest/guest-memory.js'
import { MappedDoorbells } from '../nvme/doorbells.js'
import { DOORBELL_BASE } from '../nvme/layouts.js'
import { NvmeDriver } from '../nvme/nvme-driver.js'
import type { Region } from '../vfio-user/region.js'
import { PciDriver } from '../pci/pci-driver.js'
import { PollingConnection } from './polling-connection.js'

/** The name of the socket inside the folder that this client is given. */
export const CONTROLLER_SOCKET = 'cntrl'
/** Where its memory is for the device: its own virtual addresses, which lie around 2^45. */
export const POLLING_IOVA = 0x2000_0000_0000

const PAGE_BYTES = 4096
/** Entries of its admin queues: AQA is 255/255. */
const ADMIN_DEPTH = 256
/** Where it keeps PRP lists inside a page, behind what else it knows of a command. */
const PRP_LIST_OFFSET = 72

/** How the initiator is set up. */
export interface PollingInitiatorOptions {
  /** Bytes of memory, 16 MiB unless given. */
  readonly memoryBytes?: number
}

/**
 * A user-space NVMe driver without a virtual machine, which behaves as SPDK's initiator: it polls, rings every doorbell
 * in the one page that it maps, has its memory around 2^45, and sends no interrupt, reset or feature messages.
 */
export class PollingInitiator {
  readonly connection: PollingConnection
  readonly memory: GuestMemory
  readonly doorbells: MappedDoorbells
  readonly driver: NvmeDriver

  private constructor (connection: PollingConnection, memory: GuestMemory, doorbells: MappedDoorbells) {
    this.connection = connection
    this.memory = memory
    this.doorbells = doorbells
    this.driver = new NvmeDriver({
      access: connection,
      memory,
      doorbells,
      registerBytes: 8,
      prpShape: { listOffset: PRP_LIST_OFFSET }
    })
  }

  /**
   * Connects to the socket in a folder, reads the information of every region, maps the doorbells and shares memory.
   * The controller is not enabled yet.
   */
  static async attach (folder: string, options: PollingInitiatorOptions = {}): Promise<PollingInitiator> {
    const connection = await PollingConnection.connect(join(folder, CONTROLLER_SOCKET))
    const memory = new GuestMemory()
    try {
      const doorbells = MappedDoorbells.map(checkBar(await firstOfAllRegions(connection)))
      memory.add({ iova: POLLING_IOVA, byteLength: options.memoryBytes ?? 16 * 1024 * 1024 })
      await memory.map(connection)
      const pci = new PciDriver({ ...accessOf(connection), setIrqs: () => Promise.reject(new Error('Not sent.')) })
      await pci.enable()
      return new PollingInitiator(connection, memory, doorbells)
    } catch (error) {
      connection.close()
      memory.close()
      throw error
    }
  }

  /** Enables the controller with admin queues of 256 entries. */
  async enable (): Promise<void> {
    await this.driver.enable({ adminDepth: ADMIN_DEPTH })
  }

  /** Shuts the controller down, waits for CSTS.SHST for up to ten seconds, and lets everything go. */
  async detach (): Promise<void> {
    await this.driver.registers.shutDown(1, 10_000)
    this.driver.abandon('The initiator went.')
    await this.memory.unmap(this.connection)
    this.drop()
  }

  /** Goes without a word, as a process that was killed. */
  drop (): void {
    this.driver.abandon('The initiator went.')
    this.connection.close()
    this.doorbells.close()
    this.memory.close()
  }
}

function accessOf (connection: PollingConnection): Pick<PollingConnection, 'readRegion' | 'writeRegion'> {
  return {
    readRegion: (region, offset, count) => connection.readRegion(region, offset, count),
    writeRegion: (region, offset, data) => connection.writeRegion(region, offset, data)
  }
}

/** Asks for the information of every region, all of which must succeed, and keeps that of BAR0. */
async function firstOfAllRegions (connection: PollingConnection): Promise<Region> {
  const [bar0, ...others] = await readRegions(connection)
  for (const region of others) for (const descriptor of region.descriptors) closeDescriptor(descriptor)
  if (bar0 === undefined) throw new Error('The device has no regions.')
  return bar0
}

async function readRegions (connection: PollingConnection): Promise<Region[]> {
  const regions: Region[] = []
  const count = await connection.regionCount()
  for (let index = 0; index < count; index++) regions.push(await connection.regionInfo(index))
  return regions
}

/** What this client demands of BAR0: one area that has the doorbell page and not the registers, and one descriptor. */
function checkBar (bar0: Region): Region {
  const [area, ...more] = bar0.areas ?? []
  const coversDoorbells = area !== undefined && area.offset > 0 && area.offset <= DOORBELL_BASE &&
    area.offset + area.byteLength >= DOORBELL_BASE + PAGE_BYTES
  if (bar0.mappable && coversDoorbells && more.length === 0 && bar0.descriptors.length === 1) return bar0
  for (const descriptor of bar0.descriptors) closeDescriptor(descriptor)
  throw new Error('BAR0 cannot be mapped as this client needs it: one area over the page of the doorbells.')
}
