import { StatusField } from './layouts.js'

/** The status of a completion. [NVMe-Base] "Status Field Definition". */
export interface NvmeStatus {
  /** Status Code Type. */
  readonly sct: number
  /** Status Code. */
  readonly sc: number
  /** Do Not Retry. */
  readonly dnr: boolean
  /** More: the Error Information log page has an entry. */
  readonly more: boolean
}

/** A completion, as the driver took it out of its queue. */
export interface NvmeCompletion {
  readonly status: NvmeStatus
  readonly dw0: number
  readonly dw1: number
  readonly cid: number
  readonly sqid: number
  readonly sqhd: number
}

/** Statuses that tests name, as SCT in bits 10:8 and SC in bits 7:0. */
export const NvmeStatusCode = Object.freeze(
  {
    SUCCESS: 0x000,
    INVALID_OPCODE: 0x001,
    INVALID_FIELD: 0x002,
    CID_CONFLICT: 0x003,
    DATA_TRANSFER_ERROR: 0x004,
    INTERNAL_ERROR: 0x006,
    ABORTED: 0x007,
    ABORTED_SQ_DELETION: 0x008,
    INVALID_NAMESPACE: 0x00b,
    COMMAND_SEQUENCE_ERROR: 0x00c,
    PRP_OFFSET_INVALID: 0x013,
    LBA_OUT_OF_RANGE: 0x080,
    CAPACITY_EXCEEDED: 0x081,
    INVALID_COMPLETION_QUEUE: 0x100,
    INVALID_QUEUE_ID: 0x101,
    INVALID_QUEUE_SIZE: 0x102,
    ABORT_LIMIT_EXCEEDED: 0x103,
    ASYNC_EVENT_LIMIT_EXCEEDED: 0x105,
    INVALID_INTERRUPT_VECTOR: 0x108,
    INVALID_LOG_PAGE: 0x109,
    INVALID_QUEUE_DELETION: 0x10c,
    FEATURE_NOT_SAVEABLE: 0x10d,
    FEATURE_NOT_CHANGEABLE: 0x10e,
    COMPARE_FAILURE: 0x285
  } as const
)

/** Decodes the status halfword of a completion. */
export function decodeStatus (halfword: number): NvmeStatus {
  return {
    sct: StatusField.SCT.get(halfword),
    sc: StatusField.SC.get(halfword),
    dnr: StatusField.DNR.isSet(halfword),
    more: StatusField.M.isSet(halfword)
  }
}

/** SCT and SC of a completion as one number, to compare with {@link NvmeStatusCode}. */
export function statusCode (completion: NvmeCompletion): number {
  return (completion.status.sct << 8) | completion.status.sc
}

/** A command that the controller completed with a status other than success. */
export class NvmeCommandError extends Error {
  readonly completion: NvmeCompletion

  constructor (what: string, completion: NvmeCompletion) {
    const { sct, sc, dnr } = completion.status
    super(`${what} completed with status ${sct}h/${sc.toString(16).padStart(2, '0')}h${dnr ? ', do not retry' : ''}.`)
    this.name = 'NvmeCommandError'
    this.completion = completion
  }
}
