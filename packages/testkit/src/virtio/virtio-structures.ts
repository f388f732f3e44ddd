import type { Field } from '@pcikit/wire'
import { CapabilityId } from '../pci/config-layout.js'
import type { PciDriver } from '../pci/pci-driver.js'
import type { RegionAccess } from '../vfio-user/vfio-user-client.js'
import { CapabilityExtra, StructureCapability, VirtioStructureType } from './layouts.js'

/** Bytes of one access. */
export type AccessWidth = 1 | 2 | 4

/** A virtio structure, as a capability describes it. [virtio] "Virtio Structure PCI Capabilities". */
export interface VirtioStructure {
  /** One of {@link VirtioStructureType}, or what a later specification has. */
  readonly type: number
  readonly bar: number
  readonly id: number
  /** From the start of the BAR, in bytes. */
  readonly offset: number
  readonly byteLength: number
  /** Where the capability is in configuration space. */
  readonly capability: number
  /** Notify structures only. */
  readonly notifyOffMultiplier: number
}

/** Finds all structures of a function, in the order of its capabilities. */
export async function findStructures (pci: PciDriver): Promise<VirtioStructure[]> {
  const structures: VirtioStructure[] = []
  for (const { id, offset } of await pci.capabilities()) {
    if (id === CapabilityId.VENDOR) structures.push(await readStructure(pci, offset))
  }
  return structures
}

async function readStructure (pci: PciDriver, capability: number): Promise<VirtioStructure> {
  const { capLen, cfgType, bar, id, offset, length } = StructureCapability
  const read = (field: Field): Promise<number> => pci.read(capability + field.offset, field.size as AccessWidth)
  const type = await read(cfgType)
  const has64Bits = type === VirtioStructureType.SHARED_MEMORY
  const extra = async (isThere: boolean, at: number): Promise<number> => isThere ? pci.read(capability + at, 4) : 0
  if (await read(capLen) < StructureCapability.byteLength) throw new Error('A virtio capability is too short.')
  return {
    type,
    bar: await read(bar),
    id: await read(id),
    offset: await read(offset) + await extra(has64Bits, CapabilityExtra.OFFSET_HI) * 2 ** 32,
    byteLength: await read(length) + await extra(has64Bits, CapabilityExtra.LENGTH_HI) * 2 ** 32,
    capability,
    notifyOffMultiplier: await extra(type === VirtioStructureType.NOTIFY, CapabilityExtra.NOTIFY_OFF_MULTIPLIER)
  }
}

/** How the driver reaches the structures: in their BARs, or through the PCI configuration access capability. */
export type StructurePath = 'bar' | 'config'

/** Reads and writes structures of a device. */
export class StructureAccess {
  readonly #access: RegionAccess
  readonly #pci: PciDriver
  readonly #path: StructurePath
  readonly #window: VirtioStructure | undefined
  /** The window takes several accesses; they must not mix with those of another. */
  #last: Promise<unknown> = Promise.resolve()

  constructor (access: RegionAccess, pci: PciDriver, path: StructurePath, structures: readonly VirtioStructure[]) {
    this.#access = access
    this.#pci = pci
    this.#path = path
    this.#window = structures.find(({ type }) => type === VirtioStructureType.PCI_CFG)
    if (path === 'config' && this.#window === undefined) throw new Error('There is no configuration access capability.')
  }

  /** Reads 1, 2 or 4 bytes. */
  async read (structure: VirtioStructure, offset: number, width: AccessWidth, path = this.#path): Promise<number> {
    if (path === 'config') return this.#throughWindow(structure, offset, width, at => this.#pci.read(at, width))
    const bytes = await this.#access.readRegion(structure.bar, structure.offset + offset, width)
    const word = new DataView(new ArrayBuffer(4))
    bytes.forEach((byte, at) => word.setUint8(at, byte))
    return word.getUint32(0, true)
  }

  /** Writes 1, 2 or 4 bytes. */
  async write (
    structure: VirtioStructure,
    offset: number,
    width: AccessWidth,
    value: number,
    options: { readonly posted?: boolean, readonly path?: StructurePath } = {}
  ): Promise<void> {
    const { path = this.#path, posted = false } = options
    if (path === 'config') {
      return this.#throughWindow(structure, offset, width, at => this.#pci.write(at, width, value))
    }
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setUint32(0, value, true)
    await this.#access.writeRegion(structure.bar, structure.offset + offset, bytes.subarray(0, width), { posted })
  }

  /** Reads bytes one after the other, in accesses of a width. */
  async bytes (structure: VirtioStructure, byteLength: number, width: AccessWidth = 1): Promise<Uint8Array> {
    const bytes = new Uint8Array(Math.ceil(byteLength / width) * width)
    const view = new DataView(bytes.buffer)
    for (let at = 0; at < byteLength; at += width) {
      const value = await this.read(structure, at, width)
      for (let byte = 0; byte < width; byte++) view.setUint8(at + byte, value >>> 8 * byte)
    }
    return bytes.subarray(0, byteLength)
  }

  /**
   * [virtio] "PCI configuration access capability": BAR, offset and length are written to the capability, and then
   * pci_cfg_data is read or written.
   */
  #throughWindow<T> (
    structure: VirtioStructure,
    offset: number,
    width: number,
    transfer: (at: number) => Promise<T>
  ): Promise<T> {
    const capability = this.#window!.capability
    const done = this.#last.then(async () => {
      await this.#pci.write(capability + StructureCapability.bar.offset, 1, structure.bar)
      await this.#pci.write(capability + StructureCapability.offset.offset, 4, structure.offset + offset)
      await this.#pci.write(capability + StructureCapability.length.offset, 4, width)
      return transfer(capability + CapabilityExtra.PCI_CFG_DATA)
    })
    this.#last = done.catch(() => undefined)
    return done
  }
}
