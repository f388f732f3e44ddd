/** [NVMe-Base] "Admin Command Set": "Opcodes for Admin Commands". */
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
    DOORBELL_BUFFER_CONFIG: 0x7c
  } as const
)
export type AdminOpcode = (typeof AdminOpcode)[keyof typeof AdminOpcode]

/** [NVMe-NVM] "I/O Commands": "Opcodes for NVM Commands". */
export const IoOpcode = Object.freeze(
  {
    FLUSH: 0x00,
    WRITE: 0x01,
    READ: 0x02,
    COMPARE: 0x05,
    WRITE_ZEROES: 0x08,
    DATASET_MANAGEMENT: 0x09
  } as const
)
export type IoOpcode = (typeof IoOpcode)[keyof typeof IoOpcode]

/** The NSID that means every namespace. [NVMe-Base] "Namespace Identifier". */
export const NSID_ALL = 0xffff_ffff
