import { IrqIndex, RegionIndex } from '@pcikit/core'
import type {
  ClientConnection,
  DeviceEndpoint,
  DmaManager,
  InterruptLines,
  IrqInfo,
  IrqTrigger,
  PciFunction,
  RegionInfo,
  DmaAccess
} from '@pcikit/core'
import { closeDescriptor } from '@pcikit/native'

const REGION_BYTES = 0x1000

/** A device of one region, which the suite of transports looks at from behind. */
export class TransportDevice {
  /** What reached the device, in order, reads aside. */
  readonly log: string[] = []
  readonly connections: ('connect' | 'disconnect')[] = []
  readonly memory = new Uint8Array(REGION_BYTES)
  readonly mapped: { readonly iova: number, readonly byteLength: number, readonly access: DmaAccess }[] = []
  readonly triggers = new Map<number, IrqTrigger>()
  readonly endpoint: DeviceEndpoint = {
    name: 'device under test',
    function: this.#function(),
    dma: this.#dma(),
    connect: () => this.#connect()
  }

  #gate: Promise<void> | undefined = undefined
  #fails = false
  #waiting: { readonly line: string, readonly resolve: () => void }[] = []

  /** Holds up writes and unmaps from now on. The function that it gives lets them go. */
  holdUp (): () => void {
    let open: () => void = () => undefined
    this.#gate = new Promise(resolve => {
      open = () => {
        this.#gate = undefined
        resolve()
      }
    })
    return () => open()
  }

  /** Has the next write throw what no device should. */
  failNext (): void {
    this.#fails = true
  }

  /** Resolves when the log has this line. */
  reached (line: string): Promise<void> {
    if (this.log.includes(line)) return Promise.resolve()
    return new Promise(resolve => {
      this.#waiting.push({ line, resolve })
    })
  }

  #note (line: string): void {
    this.log.push(line)
    for (const waiting of this.#waiting) if (waiting.line === line) waiting.resolve()
    this.#waiting = this.#waiting.filter(waiting => waiting.line !== line)
  }

  #connect (): ClientConnection {
    this.connections.push('connect')
    return {
      close: async () => {
        for (const trigger of this.triggers.values()) trigger.close()
        this.triggers.clear()
        await this.#gate
        this.connections.push('disconnect')
      }
    }
  }

  #function (): PciFunction {
    return {
      interrupts: this.#interrupts(),
      region: (index): RegionInfo => {
        return { index, byteLength: index === RegionIndex.BAR0 ? REGION_BYTES : 0, readable: true, writable: true }
      },
      readRegion: (_index, offset, target, position, count) => {
        for (let nth = 0; nth < count; nth++) target.setUint8(position + nth, this.memory[offset + nth] ?? 0)
      },
      writeRegion: (_index, offset, source, position, count) => {
        this.#note(`write ${offset} ${count}`)
        if (this.#fails) {
          this.#fails = false
          throw new TypeError('a mistake of the device')
        }
        const store = (): void => {
          for (let nth = 0; nth < count; nth++) this.memory[offset + nth] = source.getUint8(position + nth)
        }
        return this.#gate === undefined ? store() : this.#gate.then(store)
      },
      reset: () => this.#note('reset')
    }
  }

  /** Only the client's side is asked for: a transport never reaches memory itself. */
  #dma (): DmaManager {
    const dma: Partial<DmaManager> = {
      map: ({ iova, byteLength, access, descriptor }) => {
        if (descriptor !== undefined) closeDescriptor(descriptor)
        this.mapped.push({ iova, byteLength, access })
        this.#note(`map ${iova} ${byteLength}`)
      },
      unmap: async (iova, byteLength) => {
        this.#note(`unmap ${iova} ${byteLength}`)
        await this.#gate
        return 1
      },
      unmapAll: async () => 0,
      setPort: () => undefined
    }
    return dma as DmaManager
  }

  #interrupts (): InterruptLines {
    return {
      info: (index): IrqInfo => {
        const count = index === IrqIndex.MSIX ? 1 : 0
        return { index, count, maskable: false, automasked: false, noresize: false }
      },
      assign: (_index, start, triggers) => {
        triggers.forEach((trigger, nth) => {
          this.triggers.get(start + nth)?.close()
          if (trigger === undefined) this.triggers.delete(start + nth)
          else this.triggers.set(start + nth, trigger)
        })
      },
      mask: () => undefined,
      unmask: () => undefined,
      trigger: () => undefined,
      release: () => undefined
    }
  }
}
