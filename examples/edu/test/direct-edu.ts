import { DmaAccess, silentLogger, silentRecorder } from '@pcikit/core'
import { FakeDmaManager } from '@pcikit/testkit'
import type { RegionAccess } from '@pcikit/testkit'
import { Edu, eduOptionsSchema } from '../src/index.js'
import { EduDriver } from './edu-driver.js'

/** Far less than a test may take. */
const DEADLINE_MS = 50
/** Bus Master Enable, in the Command register. */
const BUS_MASTER = 4
const CONFIG_REGION = 7
const COMMAND = 4

/** A device on fakes, with nothing in between: nothing but what the test does takes a turn of the event loop. */
export class DirectEdu {
  readonly dma = new FakeDmaManager(DEADLINE_MS)
  readonly edu: Edu
  readonly access: RegionAccess
  readonly driver: EduDriver
  /** What guest memory of messages holds, from address 0 on. */
  readonly memory = new Uint8Array(0x1_0000)
  /** Set to answer requests for memory later, or not at all. */
  onRequest: () => Promise<void> = () => Promise.resolve()

  constructor (options: Record<string, unknown> = {}) {
    this.edu = new Edu(eduOptionsSchema.parse(options), {
      dma: this.dma,
      busMaster: this.dma,
      recorder: silentRecorder,
      logger: silentLogger
    })
    this.access = accessTo(this.edu)
    this.driver = new EduDriver(this.access)
    this.dma.setPort({
      transferBytesMax: 1 << 20,
      read: async (iova, target) => {
        await this.onRequest()
        target.set(this.memory.subarray(iova, iova + target.length))
      },
      write: async (iova, source) => {
        await this.onRequest()
        this.memory.set(source, iova)
      }
    })
  }

  /** Switches bus mastering on, and maps memory that is reached by message. */
  async enable (iova = 0, byteLength = this.memory.length): Promise<void> {
    this.dma.map({ iova, byteLength, access: DmaAccess.READ_WRITE, fileOffset: 0 })
    await this.setBusMaster(true)
  }

  async setBusMaster (enabled: boolean): Promise<void> {
    await this.access.writeRegion(CONFIG_REGION, COMMAND, Uint8Array.of(enabled ? BUS_MASTER : 0, 0))
  }
}

/** One turn of the event loop, in which whatever the device put off is done. */
export function nextTurn (): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

function accessTo ({ function: pci }: Edu): RegionAccess {
  return {
    readRegion: async (region, offset, count) => {
      const bytes = new Uint8Array(count)
      await pci.readRegion(region as never, offset, new DataView(bytes.buffer), 0, count)
      return bytes
    },
    writeRegion: async (region, offset, data) => {
      await pci.writeRegion(region as never, offset, new DataView(data.buffer, data.byteOffset), 0, data.length)
    }
  }
}
