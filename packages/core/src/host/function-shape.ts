import { IRQ_INDEX_COUNT } from '../interrupts.js'
import type { IrqIndex } from '../interrupts.js'
import { REGION_COUNT } from '../pci-function.js'
import type { PciFunction, RegionIndex } from '../pci-function.js'

const REGION_NAMES = ['BAR 0', 'BAR 1', 'BAR 2', 'BAR 3', 'BAR 4', 'BAR 5', 'the expansion ROM', 'configuration space']
const IRQ_NAMES = ['INTx', 'MSI', 'MSI-X', 'the error interrupt', 'the request interrupt']

/** What a client learns of a function when it attaches: each part by its name, as text to be compared and shown. */
export type FunctionShape = ReadonlyMap<string, string>

/** Reads the shape of a function. */
export function shapeOf (pci: PciFunction): FunctionShape {
  const shape = new Map<string, string>()
  for (let index = 0; index < REGION_COUNT; index++) {
    const { byteLength, readable, writable, memory, ioEvents = [] } = pci.region(index as RegionIndex)
    const access = `${readable ? 'r' : ''}${writable ? 'w' : ''}`
    const parts = [byteLength === 0 ? 'none' : `${byteLength} bytes ${access}`]
    if (memory !== undefined) {
      const areas = memory.areas.map(area => `${area.byteLength} bytes at ${area.offset}`).join(', ')
      parts.push(`mappable ${areas === '' ? 'as a whole' : `in ${areas}`} (file ${memory.descriptor})`)
    }
    for (const event of ioEvents) {
      const match = event.dataMatch === undefined ? '' : ` for ${event.dataMatch}`
      parts.push(`an event at ${event.offset}+${event.byteLength}${match} (file ${event.descriptor})`)
    }
    shape.set(REGION_NAMES[index] ?? `region ${index}`, parts.join(', '))
  }
  for (let index = 0; index < IRQ_INDEX_COUNT; index++) {
    const { count } = pci.interrupts.info(index as IrqIndex)
    shape.set(IRQ_NAMES[index] ?? `interrupt ${index}`, count === 0 ? 'none' : `${count} vectors`)
  }
  return shape
}

/** What is different in another shape, in words; empty where they are the same. */
export function differencesOf (shape: FunctionShape, other: FunctionShape): readonly string[] {
  return [...shape].filter(([part, text]) => other.get(part) !== text)
    .map(([part, text]) => `${part} was ${text} and is ${other.get(part) ?? 'none'}`)
}
