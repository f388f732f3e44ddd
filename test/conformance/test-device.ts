import type {
  BusMasterSwitch,
  Device,
  DmaSpace,
  InterruptLines,
  IrqIndex,
  IrqInfo,
  IrqTrigger,
  PciFunction,
  RegionIndex,
  RegionInfo
} from '@pcikit/core'
import { closeDescriptor, createEventFd, createMemoryFile } from '@pcikit/native'

const VECTORS = [1, 0, 16, 1, 1]

/** Interrupts that remember what was asked of them. */
export class TestInterrupts implements InterruptLines {
  readonly triggers = VECTORS.map(count => new Array<IrqTrigger | undefined>(count).fill(undefined))
  readonly calls: string[] = []

  info (index: IrqIndex): IrqInfo {
    return { index, count: VECTORS[index]!, maskable: index === 0, automasked: index === 0, noresize: index === 2 }
  }

  assign (index: IrqIndex, start: number, triggers: readonly (IrqTrigger | undefined)[]): void {
    triggers.forEach((trigger, nth) => {
      this.triggers[index]![start + nth]?.close()
      this.triggers[index]![start + nth] = trigger
    })
  }

  mask (index: IrqIndex, start: number, count: number): void {
    this.calls.push(`mask ${index} ${start} ${count}`)
  }

  unmask (index: IrqIndex, start: number, count: number): void {
    this.calls.push(`unmask ${index} ${start} ${count}`)
  }

  trigger (index: IrqIndex, start: number, count: number): void {
    for (let nth = start; nth < start + count; nth++) this.triggers[index]![nth]?.signal()
  }

  release (): void {
    this.triggers.forEach((kind, index) => {
      this.assign(index as IrqIndex, 0, kind.map(() => undefined))
    })
  }
}

/**
 * A device for looking at the protocol. Its regions are memory:
 *
 *     0  16 KiB   [0x1000, 0x2000) and [0x3000, 0x4000) can be mapped, from 0x8000 of the file on
 *     1  4 KiB    can be mapped as a whole
 *     2  4 KiB    three writes come as events, two of them on one descriptor
 *     5  4 MiB    nothing special
 *     6  2 KiB    read-only
 *     7  4 KiB    configuration space
 */
export class TestDevice implements Device, PciFunction {
  readonly function: PciFunction = this
  readonly interrupts = new TestInterrupts()
  readonly regionFile = createMemoryFile('region', 1 << 20)
  readonly events = [createEventFd(), createEventFd()]
  readonly memory = new Map<number, Uint8Array>()
  readonly dma: DmaSpace
  resetCount = 0
  /** Every access, in order. */
  readonly accesses: string[] = []
  /** Holds up resets and writes to region 5 while set. */
  gate: Promise<void> | undefined = undefined
  /** Thrown by the next access to region 5. */
  failure: Error | undefined = undefined

  constructor (dma: DmaSpace, busMaster: BusMasterSwitch) {
    this.dma = dma
    busMaster.setBusMaster(true)
    const sizes: [number, number][] = [[0, 0x4000], [1, 0x1000], [2, 0x1000], [5, 4 << 20], [6, 0x800], [7, 0x1000]]
    for (const [index, byteLength] of sizes) this.memory.set(index, new Uint8Array(byteLength))
  }

  region (index: RegionIndex): RegionInfo {
    const byteLength = this.memory.get(index)?.length ?? 0
    const info = { index, byteLength, readable: byteLength > 0, writable: byteLength > 0 && index !== 6 }
    const areas = [{ offset: 0x1000, byteLength: 0x1000 }, { offset: 0x3000, byteLength: 0x1000 }]
    if (index === 0) return { ...info, memory: { descriptor: this.regionFile, fileOffset: 0x8000, areas } }
    if (index === 1) return { ...info, memory: { descriptor: this.regionFile, fileOffset: 0, areas: [] } }
    if (index !== 2) return info
    const [first, second] = this.events as [number, number]
    const ioEvents = [
      { offset: 0x10, byteLength: 4, descriptor: first },
      { offset: 0x20, byteLength: 2, descriptor: second, dataMatch: 0x1_0000_0002n },
      { offset: 0x30, byteLength: 0, descriptor: first }
    ]
    return { ...info, ioEvents }
  }

  readRegion (index: RegionIndex, offset: number, target: DataView, position: number, count: number): void {
    this.accesses.push(`read ${index} ${offset} ${count}`)
    this.#failIfAsked(index)
    const memory = this.memory.get(index)!
    for (let nth = 0; nth < count; nth++) target.setUint8(position + nth, memory[offset + nth]!)
  }

  writeRegion (
    index: RegionIndex,
    offset: number,
    source: DataView,
    position: number,
    count: number
  ): void | Promise<void> {
    this.accesses.push(`write ${index} ${offset} ${count}`)
    this.#failIfAsked(index)
    const memory = this.memory.get(index)!
    const store = (): void => {
      for (let nth = 0; nth < count; nth++) memory[offset + nth] = source.getUint8(position + nth)
    }
    if (index === 5 && this.gate !== undefined) return this.gate.then(store)
    store()
  }

  async reset (): Promise<void> {
    await this.gate
    this.resetCount++
  }

  async close (): Promise<void> {
    for (const descriptor of [this.regionFile, ...this.events]) closeDescriptor(descriptor)
  }

  #failIfAsked (index: number): void {
    if (index !== 5 || this.failure === undefined) return
    const failure = this.failure
    this.failure = undefined
    throw failure
  }
}
