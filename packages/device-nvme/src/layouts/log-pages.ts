import { bits, bytes, struct, u128, u16, u32, u64, u8 } from '@pcikit/wire'

/** [NVMe-Base] "Get Log Page – Log Page Identifiers". */
export const LogPage = Object.freeze(
  {
    ERROR_INFORMATION: 0x01,
    HEALTH: 0x02,
    FIRMWARE_SLOT: 0x03,
    CHANGED_NAMESPACES: 0x04,
    COMMANDS_SUPPORTED: 0x05
  } as const
)
export type LogPage = (typeof LogPage)[keyof typeof LogPage]

/** [NVMe-Base] "Error Information Log Entry". */
export const ErrorEntryLayout = struct('ErrorEntry', 64, {
  errorCount: u64(0),
  sqid: u16(8),
  cid: u16(10),
  /** Status Field in 15:1, phase tag in 0. */
  status: u16(12),
  parameterErrorLocation: u16(14),
  lba: u64(16),
  nsid: u32(24),
  vendorSpecific: u8(28),
  trtype: u8(29),
  commandSpecific: u64(32)
})

/** [NVMe-Base] "SMART / Health Information Log Page". Temperatures in kelvins. */
export const HealthLogLayout = struct('HealthLog', 512, {
  criticalWarning: u8(0),
  compositeTemperature: u16(1),
  availableSpare: u8(3),
  availableSpareThreshold: u8(4),
  percentageUsed: u8(5),
  dataUnitsRead: u128(32),
  dataUnitsWritten: u128(48),
  hostReadCommands: u128(64),
  hostWriteCommands: u128(80),
  controllerBusyTime: u128(96),
  powerCycles: u128(112),
  powerOnHours: u128(128),
  unsafeShutdowns: u128(144),
  mediaErrors: u128(160),
  errorLogEntries: u128(176)
})

/** [NVMe-Base] "Firmware Slot Information Log Page". */
export const FirmwareSlotLogLayout = struct('FirmwareSlotLog', 512, { afi: u8(0), frs1: bytes(8, 8) })

/** Commands Supported and Effects data structure. [NVMe-Base] "Commands Supported and Effects Log Page". */
export const CommandEffects = Object.freeze({ CSUPP: bits(0), LBCC: bits(1), NCC: bits(2), NIC: bits(3), CCC: bits(4) })
