import type {
  ClientConnection,
  DeviceEndpoint,
  DmaManager,
  DmaPort,
  DmaRegion,
  InterruptLines,
  IrqInfo,
  IrqTrigger,
  PciFunction,
  RegionInfo
} from '@pcikit/core'
import { closeDescriptor } from '@pcikit/native'

const REGION_BYTES = 0x1000

/** A device of one region of 4 KiB and 4 MSI-X vectors that keeps what it was given, and says what happened to it. */
export class FakeDevice {
  readonly log: string[] = []
  readonly memory = new Uint8Array(REGION_BYTES)
  readonly regions: DmaRegion[] = []
  triggers: (IrqTrigger | undefined)[] = [undefined, undefined, undefined, undefined]
  port: DmaPort | undefined = undefined
  isConnected = false
  /** What unmaps, resets and writes wait for. */
  gate: Promise<void> | undefined = undefined

  get endpoint (): DeviceEndpoint {
    return {
      name: 'fake',
      function: this.#function(),
      dma: this.#dma(),
      connect: (): ClientConnection => {
        this.isConnected = true
        return { close: () => this.#disconnect() }
      }
    }
  }

  async #disconnect (): Promise<void> {
    this.log.push('disconnect')
    this.triggers.forEach(trigger => trigger?.close())
    this.triggers = this.triggers.map(() => undefined)
    this.port = undefined
    this.#forget(0, Infinity)
    await this.gate
    this.isConnected = false
  }

  #forget (iova: number, byteLength: number): number {
    const gone = this.regions.filter(region => region.iova >= iova && region.iova < iova + byteLength)
    for (const region of gone) {
      this.regions.splice(this.regions.indexOf(region), 1)
      if (region.descriptor !== undefined) closeDescriptor(region.descriptor)
    }
    return gone.length
  }

  #dma (): DmaManager {
    const dma: Partial<DmaManager> = {
      map: region => {
        this.log.push(`map ${region.iova}${region.descriptor === undefined ? '' : ' with a descriptor'}`)
        this.regions.push(region)
      },
      unmap: async (iova, byteLength) => {
        this.log.push(`unmap ${iova}`)
        await this.gate
        return this.#forget(iova, byteLength)
      },
      unmapAll: async () => {
        this.log.push('unmap all')
        await this.gate
        return this.#forget(0, Infinity)
      },
      setPort: port => {
        this.port = port
      }
    }
    return dma as DmaManager
  }

  #function (): PciFunction {
    return {
      interrupts: this.#interrupts(),
      region: (index): RegionInfo => {
        const byteLength = index === 0 ? REGION_BYTES : 0
        return { index, byteLength, readable: true, writable: true }
      },
      readRegion: (_index, offset, target, position, count) => {
        for (let nth = 0; nth < count; nth++) target.setUint8(position + nth, this.memory[offset + nth] ?? 0)
      },
      writeRegion: (_index, offset, source, position, count) => {
        const store = (): void => {
          this.log.push(`write ${offset}`)
          for (let nth = 0; nth < count; nth++) this.memory[offset + nth] = source.getUint8(position + nth)
        }
        return this.gate === undefined ? store() : this.gate.then(store)
      },
      reset: async () => {
        await this.gate
        this.log.push('reset')
      }
    }
  }

  #interrupts (): InterruptLines {
    return {
      info: (index): IrqInfo => {
        return { index, count: index === 2 ? 4 : 0, maskable: false, automasked: false, noresize: false }
      },
      assign: (_index, start, triggers) => {
        triggers.forEach((trigger, nth) => {
          this.triggers[start + nth]?.close()
          this.triggers[start + nth] = trigger
        })
      },
      mask: () => undefined,
      unmask: () => undefined,
      trigger: (_index, start, count) => {
        for (let nth = start; nth < start + count; nth++) this.triggers[nth]?.signal()
      },
      release: () => undefined
    }
  }
}
