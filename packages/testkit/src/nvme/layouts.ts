/**
 * NVMe as a driver needs it, written from the specifications' tables and shared with no device model, so that a wrong
 * offset cannot agree with itself.
 */
import { ascii, bits, struct, u128, u16, u32, u64, u8 } from '@pcikit/wire'

/** Controller properties, offsets in BAR0. [NVMe-Base] "Controller Properties". */
export const Property = Object.freeze(
  {
    CAP: 0x00,
    VS: 0x08,
    INTMS: 0x0c,
    INTMC: 0x10,
    CC: 0x14,
    CSTS: 0x1c,
    NSSR: 0x20,
    AQA: 0x24,
    ASQ: 0x28,
    ACQ: 0x30
  } as const
)

/** Where the doorbells start in BAR0. [NVMe-PCIe] "PCI Express Specific Property Definitions". */
export const DOORBELL_BASE = 0x1000

/** CAP, the lower word. */
export const CapLow = Object.freeze({ MQES: bits(15, 0), CQR: bits(16), AMS: bits(18, 17), TO: bits(31, 24) })

/** CAP, the upper word. */
export const CapHigh = Object.freeze({
  DSTRD: bits(3, 0),
  NSSRS: bits(4),
  CSS: bits(12, 5),
  MPSMIN: bits(19, 16),
  MPSMAX: bits(23, 20)
})

/** CC. [NVMe-Base] "Controller Configuration". */
export const Cc = Object.freeze({
  EN: bits(0),
  CSS: bits(6, 4),
  MPS: bits(10, 7),
  AMS: bits(13, 11),
  SHN: bits(15, 14),
  IOSQES: bits(19, 16),
  IOCQES: bits(23, 20)
})

/** CSTS. [NVMe-Base] "Controller Status". */
export const Csts = Object.freeze({ RDY: bits(0), CFS: bits(1), SHST: bits(3, 2), NSSRO: bits(4) })

/** Common Command Format. [NVMe-Base] "Submission Queue Entry". */
export const Sqe = struct('Sqe', 64, {
  opcode: u8(0),
  flags: u8(1),
  cid: u16(2),
  nsid: u32(4),
  cdw2: u32(8),
  cdw3: u32(12),
  mptr: u64(16),
  prp1: u64(24),
  prp2: u64(32),
  cdw10: u32(40),
  cdw11: u32(44),
  cdw12: u32(48),
  cdw13: u32(52),
  cdw14: u32(56),
  cdw15: u32(60)
})

/** Completion Queue Entry. [NVMe-Base] "Completion Queue Entry". */
export const Cqe = struct('Cqe', 16, {
  dw0: u32(0),
  dw1: u32(4),
  sqhd: u16(8),
  sqid: u16(10),
  cid: u16(12),
  status: u16(14)
})

/** The status halfword of a completion, with its phase tag. */
export const StatusField = Object.freeze({
  P: bits(0),
  SC: bits(8, 1),
  SCT: bits(11, 9),
  CRD: bits(13, 12),
  M: bits(14),
  DNR: bits(15)
})

/** Admin commands. [NVMe-Base] "Admin Command Set". */
export const AdminOpcode = Object.freeze(
  {
    DELETE_IO_SQ: 0x00,
    CREATE_IO_SQ: 0x01,
    GET_LOG_PAGE: 0x02,
    DELETE_IO_CQ: 0x04,
    CREATE_IO_CQ: 0x05,
    IDENTIFY: 0x06,
    ABORT: 0x08,
    SET_FEATURES: 0x09,
    GET_FEATURES: 0x0a,
    ASYNC_EVENT_REQUEST: 0x0c,
    KEEP_ALIVE: 0x18,
    DOORBELL_BUFFER_CONFIG: 0x7c,
    FORMAT_NVM: 0x80
  } as const
)

/** I/O commands. [NVMe-NVM] "NVM Command Set Commands". */
export const IoOpcode = Object.freeze(
  {
    FLUSH: 0x00,
    WRITE: 0x01,
    READ: 0x02,
    WRITE_UNCORRECTABLE: 0x04,
    COMPARE: 0x05,
    WRITE_ZEROES: 0x08,
    DATASET_MANAGEMENT: 0x09
  } as const
)

/** What Identify returns. [NVMe-Base] "Controller or Namespace Structure". */
export const Cns = Object.freeze(
  {
    NAMESPACE: 0x00,
    CONTROLLER: 0x01,
    ACTIVE_NAMESPACES: 0x02,
    NAMESPACE_DESCRIPTORS: 0x03,
    IO_NAMESPACE: 0x05,
    IO_CONTROLLER: 0x06
  } as const
)

/** Features. [NVMe-Base] "Set Features command". */
export const FeatureId = Object.freeze(
  {
    ARBITRATION: 0x01,
    POWER_MANAGEMENT: 0x02,
    LBA_RANGE_TYPE: 0x03,
    TEMPERATURE_THRESHOLD: 0x04,
    ERROR_RECOVERY: 0x05,
    VOLATILE_WRITE_CACHE: 0x06,
    NUMBER_OF_QUEUES: 0x07,
    INTERRUPT_COALESCING: 0x08,
    INTERRUPT_VECTOR_CONFIGURATION: 0x09,
    WRITE_ATOMICITY: 0x0a,
    ASYNC_EVENT_CONFIGURATION: 0x0b,
    KEEP_ALIVE_TIMER: 0x0f,
    HOST_BEHAVIOR: 0x16
  } as const
)

/** Log pages. [NVMe-Base] "Get Log Page command". */
export const LogPage = Object.freeze(
  {
    SUPPORTED: 0x00,
    ERROR: 0x01,
    HEALTH: 0x02,
    FIRMWARE_SLOT: 0x03,
    CHANGED_NAMESPACES: 0x04,
    COMMAND_EFFECTS: 0x05
  } as const
)

/** Identify Controller, the fields that tests look at. [NVMe-Base] "Identify Controller data structure". */
export const IdentifyControllerLayout = struct('IdentifyController', 4096, {
  vid: u16(0),
  ssvid: u16(2),
  sn: ascii(4, 20),
  mn: ascii(24, 40),
  fr: ascii(64, 8),
  rab: u8(72),
  cmic: u8(76),
  mdts: u8(77),
  cntlid: u16(78),
  ver: u32(80),
  rtd3r: u32(84),
  rtd3e: u32(88),
  oaes: u32(92),
  ctratt: u32(96),
  cntrltype: u8(111),
  oacs: u16(256),
  acl: u8(258),
  aerl: u8(259),
  frmw: u8(260),
  lpa: u8(261),
  elpe: u8(262),
  npss: u8(263),
  wctemp: u16(266),
  cctemp: u16(268),
  tnvmcap: u128(280),
  sqes: u8(512),
  cqes: u8(513),
  maxcmd: u16(514),
  nn: u32(516),
  oncs: u16(520),
  fuses: u16(522),
  fna: u8(524),
  vwc: u8(525),
  awun: u16(526),
  awupf: u16(528),
  acwu: u16(532),
  sgls: u32(536),
  mnan: u32(540),
  subnqn: ascii(768, 256)
})

/** Identify Namespace, the fields that tests look at. [NVMe-NVM] "Identify Namespace data structure". */
export const IdentifyNamespaceLayout = struct('IdentifyNamespace', 4096, {
  nsze: u64(0),
  ncap: u64(8),
  nuse: u64(16),
  nsfeat: u8(24),
  nlbaf: u8(25),
  flbas: u8(26),
  mc: u8(27),
  dpc: u8(28),
  dps: u8(29),
  dlfeat: u8(33),
  lbaf0: u32(128)
})

/** LBA Format. [NVMe-NVM] "LBA Format data structure". */
export const Lbaf = Object.freeze({ MS: bits(15, 0), LBADS: bits(23, 16), RP: bits(25, 24) })

/** A range of Dataset Management. [NVMe-NVM] "Dataset Management - Range Definition". */
export const DsmRange = struct('DsmRange', 16, { attributes: u32(0), nlb: u32(4), slba: u64(8) })
