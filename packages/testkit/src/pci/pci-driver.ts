import { IrqRecorder } from '../guest/irq-recorder.js'
import type { IrqClient } from '../guest/irq-recorder.js'
import type { RegionAccess } from '../vfio-user/vfio-user-client.js'
import {
  CapabilityId,
  ConfigRegister,
  DeviceControl,
  MsiControl,
  MsixControl,
  MsixLocation,
  PciCommand,
  Pmcsr
} from './config-layout.js'

/** The region that holds configuration space, and the kinds of interrupt, as VFIO numbers them. */
const CONFIG_REGION = 7
const IRQ_INTX = 0
const IRQ_MSI = 1
const IRQ_MSIX = 2

/** What sizing found out about a base address register. [PCIe] "Base Address Registers". */
export interface BarInfo {
  readonly kind: 'memory32' | 'memory64' | 'io' | 'none'
  readonly prefetchable: boolean
  readonly byteLength: number
}

/** A capability in configuration space. */
export interface Capability {
  readonly id: number
  readonly offset: number
}

/** Where the MSI-X table and its pending bits are. */
export interface MsixInfo {
  readonly vectorCount: number
  readonly table: { readonly bar: number, readonly offset: number }
  readonly pendingBits: { readonly bar: number, readonly offset: number }
}

/** The operating system's side of a PCI function: what firmware and bus drivers do with configuration space. */
export class PciDriver {
  readonly #access: RegionAccess & IrqClient

  constructor (access: RegionAccess & IrqClient) {
    this.#access = access
  }

  /** Reads 1, 2 or 4 bytes of configuration space. */
  async read (offset: number, width: 1 | 2 | 4): Promise<number> {
    const bytes = await this.#access.readRegion(CONFIG_REGION, offset, width)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (width === 1) return view.getUint8(0)
    return width === 2 ? view.getUint16(0, true) : view.getUint32(0, true)
  }

  /** Writes 1, 2 or 4 bytes of configuration space. */
  async write (offset: number, width: 1 | 2 | 4, value: number): Promise<void> {
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setUint32(0, value, true)
    await this.#access.writeRegion(CONFIG_REGION, offset, bytes.subarray(0, width))
  }

  async vendorId (): Promise<number> {
    return this.read(ConfigRegister.VENDOR_ID, 2)
  }

  async deviceId (): Promise<number> {
    return this.read(ConfigRegister.DEVICE_ID, 2)
  }

  /** Class, subclass and programming interface as one number, as `lspci -n` orders them. */
  async classCode (): Promise<number> {
    return (await this.read(ConfigRegister.REVISION_ID, 4)) >>> 8
  }

  /** Lets the function answer at its addresses, reach memory and send messages, or stops that. */
  async enable (options: { readonly memory?: boolean, readonly busMaster?: boolean } = {}): Promise<void> {
    const command = await this.read(ConfigRegister.COMMAND, 2)
    const withMemory = PciCommand.MEMORY_SPACE.set(command, options.memory === false ? 0 : 1)
    await this.write(
      ConfigRegister.COMMAND,
      2,
      PciCommand.BUS_MASTER.set(withMemory, options.busMaster === false ? 0 : 1)
    )
  }

  /** Sets or clears the Bus Master Enable bit alone. */
  async setBusMaster (enabled: boolean): Promise<void> {
    const command = await this.read(ConfigRegister.COMMAND, 2)
    await this.write(ConfigRegister.COMMAND, 2, PciCommand.BUS_MASTER.set(command, enabled ? 1 : 0))
  }

  /**
   * Sizes a BAR the way firmware does: decoding off, bus mastering off, ones in, mask out, everything back.
   * [PCIe] "Base Address Registers", implementation note on sizing.
   */
  async sizeBar (bar: number): Promise<BarInfo> {
    const offset = ConfigRegister.BAR0 + 4 * bar
    const command = await this.read(ConfigRegister.COMMAND, 2)
    await this.write(ConfigRegister.COMMAND, 2, 0)
    const saved = await this.read(offset, 4)
    const is64 = (saved & 7) === 4
    const savedHigh = is64 ? await this.read(offset + 4, 4) : 0
    await this.write(offset, 4, 0xffff_ffff)
    if (is64) await this.write(offset + 4, 4, 0xffff_ffff)
    const low = await this.read(offset, 4)
    const high = is64 ? await this.read(offset + 4, 4) : 0xffff_ffff
    await this.write(offset, 4, saved)
    if (is64) await this.write(offset + 4, 4, savedHigh)
    await this.write(ConfigRegister.COMMAND, 2, command)
    return decodeBar(low, high)
  }

  /** Puts an address into a BAR, both words of it where it has 64 bits. */
  async assignBar (bar: number, address: number): Promise<void> {
    const offset = ConfigRegister.BAR0 + 4 * bar
    const current = await this.read(offset, 4)
    await this.write(offset, 4, address >>> 0)
    if ((current & 7) === 4) await this.write(offset + 4, 4, Math.floor(address / 0x1_0000_0000))
  }

  /** The capability list, in its order. Throws where it has no end. */
  async capabilities (): Promise<Capability[]> {
    const found: Capability[] = []
    let offset = (await this.read(ConfigRegister.CAPABILITIES_POINTER, 1)) & 0xfc
    while (offset !== 0) {
      if (found.some(capability => capability.offset === offset)) throw new Error('The capability list has no end.')
      const id = await this.read(offset, 1)
      found.push({ id, offset })
      offset = (await this.read(offset + 1, 1)) & 0xfc
    }
    return found
  }

  /** The extended capability list, in its order. Throws where it has no end. */
  async extendedCapabilities (): Promise<Capability[]> {
    const found: Capability[] = []
    let offset: number = ConfigRegister.EXTENDED_CAPABILITIES
    while (offset !== 0) {
      if (found.some(capability => capability.offset === offset)) throw new Error('The capability list has no end.')
      const header = await this.read(offset, 4)
      if (header === 0 || header === 0xffff_ffff) break
      found.push({ id: header & 0xffff, offset })
      offset = (header >>> 20) & 0xffc
    }
    return found
  }

  /** Where a capability is. Throws when the function does not have it. */
  async capability (id: number): Promise<number> {
    const found = (await this.capabilities()).find(capability => capability.id === id)
    if (found === undefined) throw new Error(`The function has no capability ${id}.`)
    return found.offset
  }

  /** What the MSI-X capability says. */
  async msixInfo (): Promise<MsixInfo> {
    const offset = await this.capability(CapabilityId.MSIX)
    const table = await this.read(offset + 4, 4)
    const pendingBits = await this.read(offset + 8, 4)
    return {
      vectorCount: MsixControl.TABLE_SIZE.get(await this.read(offset + 2, 2)) + 1,
      table: { bar: MsixLocation.BIR.get(table), offset: (table & MsixLocation.OFFSET.mask) >>> 0 },
      pendingBits: { bar: MsixLocation.BIR.get(pendingBits), offset: (pendingBits & MsixLocation.OFFSET.mask) >>> 0 }
    }
  }

  /**
   * Switches MSI-X on, with eventfds for the first `count` vectors. As with QEMU, the table stays the hypervisor's: the
   * device sees the enable bit and the eventfds.
   */
  async enableMsix (count: number): Promise<IrqRecorder> {
    const offset = await this.capability(CapabilityId.MSIX)
    const recorder = await IrqRecorder.attach(this.#access, IRQ_MSIX, count)
    const control = MsixControl.FUNCTION_MASK.set(await this.read(offset + 2, 2), 0)
    await this.write(offset + 2, 2, MsixControl.ENABLE.set(control, 1))
    return recorder
  }

  /** Switches MSI-X off and takes the eventfds away. */
  async disableMsix (recorder: IrqRecorder): Promise<void> {
    const offset = await this.capability(CapabilityId.MSIX)
    await this.write(offset + 2, 2, MsixControl.ENABLE.set(await this.read(offset + 2, 2), 0))
    await recorder.detach()
  }

  /** Switches MSI on, with `2 ** shift` vectors. */
  async enableMsi (shift = 0): Promise<IrqRecorder> {
    const offset = await this.capability(CapabilityId.MSI)
    const recorder = await IrqRecorder.attach(this.#access, IRQ_MSI, 2 ** shift)
    const control = MsiControl.MULTIPLE_MESSAGE_ENABLE.set(await this.read(offset + 2, 2), shift)
    await this.write(offset + 2, 2, MsiControl.ENABLE.set(control, 1))
    return recorder
  }

  /** Takes INTx: MSI and MSI-X stay off, Interrupt Disable is cleared. */
  async enableIntx (): Promise<IrqRecorder> {
    const recorder = await IrqRecorder.attach(this.#access, IRQ_INTX, 1)
    const command = await this.read(ConfigRegister.COMMAND, 2)
    await this.write(ConfigRegister.COMMAND, 2, PciCommand.INTERRUPT_DISABLE.set(command, 0))
    return recorder
  }

  /** Starts a function-level reset. The write is answered when the function is reset. */
  async functionLevelReset (): Promise<void> {
    const offset = await this.capability(CapabilityId.PCI_EXPRESS)
    const control = await this.read(offset + 8, 2)
    await this.write(offset + 8, 2, DeviceControl.INITIATE_FLR.set(control, 1))
  }

  /** Puts the function to sleep, or wakes it. */
  async setPowerState (state: 'D0' | 'D3hot'): Promise<void> {
    const offset = await this.capability(CapabilityId.POWER_MANAGEMENT)
    const control = await this.read(offset + 4, 2)
    await this.write(offset + 4, 2, Pmcsr.POWER_STATE.set(control, state === 'D0' ? 0 : 3))
  }
}

function decodeBar (low: number, high: number): BarInfo {
  if (low === 0) return { kind: 'none', prefetchable: false, byteLength: 0 }
  const isIo = (low & 1) === 1
  const base = BigInt((low & (isIo ? ~3 : ~15)) >>> 0) | (BigInt(high >>> 0) << 32n)
  const byteLength = Number(BigInt.asUintN(64, ~base + 1n))
  if (isIo) return { kind: 'io', prefetchable: false, byteLength }
  return { kind: (low & 7) === 4 ? 'memory64' : 'memory32', prefetchable: (low & 8) !== 0, byteLength }
}
