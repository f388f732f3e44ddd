import { bits, struct, u16, u32, u64, u8 } from '@pcikit/wire'

/** Common Command Format, 64 bytes. [NVMe-Base] "Submission Queue Entry". */
export const CommandLayout = struct('Command', 64, {
  opcode: u8(0),
  flags: u8(1),
  cid: u16(2),
  nsid: u32(4),
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

/** Command Dword 0, bits 15:8, as a byte. [NVMe-Base] "Command Dword 0". */
export const CommandFlags = Object.freeze({ FUSE: bits(1, 0), PSDT: bits(7, 6) })

/** [NVMe-NVM] "Read command", "Write command": Command Dword 12. */
export const ReadWriteDword12 = Object.freeze({ NLB: bits(15, 0), DEAC: bits(25), FUA: bits(30), LR: bits(31) })

/** [NVMe-NVM] "Dataset Management command": Command Dwords 10 and 11. */
export const DatasetManagement = Object.freeze({ NR: bits(7, 0), AD: bits(2) })

/** One range of a Dataset Management command. [NVMe-NVM] "Dataset Management – Range Definition". */
export const DatasetRange = struct('DatasetRange', 16, { contextAttributes: u32(0), length: u32(4), slba: u64(8) })

/** [NVMe-Base] "Create I/O Completion Queue command" and "Create I/O Submission Queue command": Command Dword 10. */
export const CreateQueueDword10 = Object.freeze({ QID: bits(15, 0), QSIZE: bits(31, 16) })
/** [NVMe-Base] "Create I/O Completion Queue command": Command Dword 11. */
export const CreateCqDword11 = Object.freeze({ PC: bits(0), IEN: bits(1), IV: bits(31, 16) })
/** [NVMe-Base] "Create I/O Submission Queue command": Command Dword 11. */
export const CreateSqDword11 = Object.freeze({ PC: bits(0), QPRIO: bits(2, 1), CQID: bits(31, 16) })

/** [NVMe-Base] "Identify command": Command Dwords 10 and 11. */
export const IdentifyDwords = Object.freeze({ CNS: bits(7, 0), CNTID: bits(31, 16), CSI: bits(31, 24) })

/** [NVMe-Base] "Get Log Page command": Command Dword 10; NUMDU is in 11. */
export const GetLogPageDwords = Object.freeze({
  LID: bits(7, 0),
  RAE: bits(15),
  NUMDL: bits(31, 16),
  NUMDU: bits(15, 0)
})

/** [NVMe-Base] "Get Features command" and "Set Features command": Command Dword 10. */
export const FeaturesDword10 = Object.freeze({ FID: bits(7, 0), SEL: bits(10, 8), SV: bits(31) })

/** [NVMe-Base] "Abort command": Command Dword 10. */
export const AbortDword10 = Object.freeze({ SQID: bits(15, 0), CID: bits(31, 16) })
