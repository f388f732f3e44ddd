import { RegisterBank } from '@pcikit/wire'
import type { RegisterSpec } from '@pcikit/wire'
import { capabilityRegisters, extendedCapabilityRegisters, placeCapabilities } from './capability.js'
import { placeExtendedCapabilities } from './capability.js'
import { msi } from './capabilities/msi.js'
import { msix, placeMsix } from './capabilities/msix.js'
import { PCI_EXPRESS } from './capabilities/pci-express.js'
import type { PciDescription } from './description.js'
import { headerRegisters } from './header.js'

const CONVENTIONAL_BYTES = 256
const EXPRESS_BYTES = 4096

/** The registers of a configuration space, by name: `COMMAND_STATUS`, `BAR0`, `<capability>.<register>`. */
export type ConfigRegisters = RegisterBank<string>

/** The configuration space as the client reaches it: any range of bytes, reduced to words. */
export class ConfigSpace {
  readonly byteLength: number
  readonly registers: ConfigRegisters
  readonly #names: ReadonlySet<string>

  constructor (description: PciDescription) {
    const specs = configRegisters(description)
    this.registers = new RegisterBank(specs)
    this.#names = new Set(Object.keys(specs))
    const isExpress = description.capabilities?.some(({ name }) => name === PCI_EXPRESS) === true
    this.byteLength = isExpress ? EXPRESS_BYTES : CONVENTIONAL_BYTES
  }

  /** Whether the function has this register. */
  has (name: string): boolean {
    return this.#names.has(name)
  }

  /** Each word that the range touches is read once. Bytes that no register occupies read as zero. */
  read (offset: number, target: DataView, position: number, count: number): void {
    for (let done = 0; done < count;) {
      const at = offset + done
      const first = at & 3
      const bytes = Math.min(4 - first, count - done)
      const word = this.registers.read(at)
      if (bytes === 4) target.setUint32(position + done, word, true)
      else {for (let index = 0; index < bytes; index++) {
          target.setUint8(position + done + index, word >>> ((first + index) * 8))
        }}
      done += bytes
    }
  }

  /** Each word that the range touches is written once, with the lanes that it carries. */
  write (offset: number, source: DataView, position: number, count: number): void {
    for (let done = 0; done < count;) {
      const at = offset + done
      const shift = (at & 3) * 8
      const bytes = Math.min(4 - (at & 3), count - done)
      let value = 0
      for (let index = 0; index < bytes; index++) value |= source.getUint8(position + done + index) << (index * 8)
      const lanes = bytes === 4 ? 0xffff_ffff : (2 ** (bytes * 8) - 1) << shift
      this.registers.write(at, (value << shift) >>> 0, lanes >>> 0)
      done += bytes
    }
  }
}

function configRegisters (description: PciDescription): Record<string, RegisterSpec> {
  const { interrupts = {}, capabilities = [], extendedCapabilities = [] } = description
  const placed = placeCapabilities([
    ...capabilities,
    ...(interrupts.msi === undefined ? [] : [msi(interrupts.msi)]),
    ...(interrupts.msix === undefined ? [] : [msix(placeMsix(interrupts.msix))])
  ])
  return {
    ...headerRegisters(description, placed[0]?.offset ?? 0),
    ...capabilityRegisters(placed),
    ...extendedCapabilityRegisters(placeExtendedCapabilities(extendedCapabilities))
  }
}
