/**
 * PCI functions of a description: configuration space, capabilities, BARs, interrupts, resets, power.
 *
 * @example
 * ```ts
 * import { createPciFunction, pciExpress, powerManagement, words } from '@pcikit/pci'
 * import type { DescribedPciFunction, PciServices } from '@pcikit/pci'
 * import { RegisterBank } from '@pcikit/wire'
 *
 * export function createCounter (services: PciServices): DescribedPciFunction {
 *   const registers = new RegisterBank({ COUNT: { offset: 0x0, writable: 0xffff_ffff } })
 *   const pci = createPciFunction({
 *     identity: { vendorId: 0x1234, deviceId: 0x0001, classCode: 0xff_00_00 },
 *     bars: [{ index: 0, kind: 'memory32', byteLength: 0x2000, handler: words(registers) }],
 *     interrupts: { intxPin: 1, msix: { vectors: 1, tableBar: 0, tableOffset: 0x1000 } },
 *     capabilities: [powerManagement(), pciExpress()]
 *   }, services)
 *   registers.onWrite('COUNT', () => { pci.deviceInterrupts.trigger(0) })
 *   return pci
 * }
 * ```
 *
 * @packageDocumentation
 */
export { createPciFunction } from './described-function.js'
export type { DescribedPciFunction } from './described-function.js'
export type {
  AccessSize,
  BarDescription,
  BarHandler,
  BarKind,
  InterruptDescription,
  MsiDescription,
  MsixDescription,
  PciDescription,
  PciIdentity,
  PciServices,
  PowerState,
  ResetCause
} from './description.js'
export { msixBar } from './msix-bar.js'
export { words } from './bar.js'
export type { WordHandler } from './bar.js'
export type { ConfigRegisters } from './config-space.js'
export type { Capability } from './capability.js'
export { Command, Status } from './header.js'
export { deviceSerialNumber } from './capabilities/device-serial-number.js'
export { pciExpress } from './capabilities/pci-express.js'
export type { PciExpressOptions } from './capabilities/pci-express.js'
export { powerManagement } from './capabilities/power-management.js'
export type { PowerManagementOptions } from './capabilities/power-management.js'
export { vendorSpecific } from './capabilities/vendor-specific.js'
export type { VendorSpecificOptions } from './capabilities/vendor-specific.js'
