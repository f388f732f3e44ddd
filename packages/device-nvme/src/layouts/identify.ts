import { ascii, bytes, struct, u16, u32, u64, u8 } from '@pcikit/wire'

/** Bytes of every Identify data structure. [NVMe-Base] "Identify command". */
export const IDENTIFY_BYTES = 4096

/** Which data structure Identify returns. [NVMe-Base] "Identify – CNS Values". */
export const Cns = Object.freeze(
  {
    NAMESPACE: 0x00,
    CONTROLLER: 0x01,
    ACTIVE_NAMESPACES: 0x02,
    NAMESPACE_DESCRIPTORS: 0x03,
    IO_COMMAND_SET_NAMESPACE: 0x05,
    IO_COMMAND_SET_CONTROLLER: 0x06,
    IO_COMMAND_SET_ACTIVE_NAMESPACES: 0x07,
    ALLOCATED_NAMESPACES: 0x10,
    ALLOCATED_NAMESPACE: 0x11,
    ATTACHED_CONTROLLERS: 0x12,
    CONTROLLERS: 0x13
  } as const
)
export type Cns = (typeof Cns)[keyof typeof Cns]

/** [NVMe-Base] "Identify Controller Data Structure, I/O Command Set Independent". */
export const IdentifyControllerLayout = struct('IdentifyController', IDENTIFY_BYTES, {
  vid: u16(0),
  ssvid: u16(2),
  sn: ascii(4, 20),
  mn: ascii(24, 40),
  fr: ascii(64, 8),
  rab: u8(72),
  ieee: bytes(73, 3),
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
  avscc: u8(264),
  apsta: u8(265),
  wctemp: u16(266),
  cctemp: u16(268),
  kas: u16(320),
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
  sgls: u32(536),
  subnqn: bytes(768, 256),
  /** Power State 0, of which Maximum Power is the only field given. */
  psd0Mp: u16(2048)
})

/** [NVMe-NVM] "Identify Namespace data structure". */
export const IdentifyNamespaceLayout = struct('IdentifyNamespace', IDENTIFY_BYTES, {
  nsze: u64(0),
  ncap: u64(8),
  nuse: u64(16),
  nsfeat: u8(24),
  nlbaf: u8(25),
  flbas: u8(26),
  mc: u8(27),
  dpc: u8(28),
  dps: u8(29),
  nmic: u8(30),
  rescap: u8(31),
  fpi: u8(32),
  dlfeat: u8(33),
  nsattr: u8(99),
  nguid: bytes(104, 16),
  eui64: bytes(120, 8),
  lbaf0Ms: u16(128),
  lbaf0Lbads: u8(130),
  lbaf0Rp: u8(131)
})

/** [NVMe-NVM] "I/O Command Set Specific Identify Controller data structure": the NVM Command Set's. */
export const IdentifyNvmControllerLayout = struct('IdentifyNvmController', IDENTIFY_BYTES, {
  vsl: u8(0),
  wzsl: u8(1),
  wusl: u8(2),
  dmrl: u8(3),
  dmrsl: u32(4),
  dmsl: u64(8)
})

/** Header of one entry of a Namespace Identification Descriptor list. [NVMe-Base] of the same title. */
export const NamespaceDescriptorLayout = struct('NamespaceDescriptor', 4, { nidt: u8(0), nidl: u8(1) })

/** [NVMe-Base] "Namespace Identification Descriptor": Namespace Identifier Type. */
export const NamespaceIdType = Object.freeze({ EUI64: 1, NGUID: 2, UUID: 3, CSI: 4 } as const)
