/**
 * Status codes: Status Code Type in bits 10:8, Status Code in 7:0, as in the Status Field of a completion.
 * [NVMe-Base] "Status Field Definition": "Generic Command Status", "Command Specific Status", "Media and Data Integrity
 * Errors"; [NVMe-NVM] "Status Values".
 */
export const Status = Object.freeze(
  {
    SUCCESS: 0x000,
    INVALID_OPCODE: 0x001,
    INVALID_FIELD: 0x002,
    DATA_TRANSFER_ERROR: 0x004,
    INTERNAL_ERROR: 0x006,
    ABORT_REQUESTED: 0x007,
    ABORTED_SQ_DELETION: 0x008,
    INVALID_NAMESPACE: 0x00b,
    COMMAND_SEQUENCE_ERROR: 0x00c,
    PRP_OFFSET_INVALID: 0x013,
    NAMESPACE_WRITE_PROTECTED: 0x020,
    LBA_OUT_OF_RANGE: 0x080,
    COMPLETION_QUEUE_INVALID: 0x100,
    INVALID_QUEUE_IDENTIFIER: 0x101,
    INVALID_QUEUE_SIZE: 0x102,
    ASYNC_EVENT_REQUEST_LIMIT_EXCEEDED: 0x105,
    INVALID_INTERRUPT_VECTOR: 0x108,
    INVALID_LOG_PAGE: 0x109,
    INVALID_QUEUE_DELETION: 0x10c,
    FEATURE_NOT_SAVEABLE: 0x10d,
    FEATURE_NOT_CHANGEABLE: 0x10e,
    FEATURE_NOT_NAMESPACE_SPECIFIC: 0x10f,
    COMPARE_FAILURE: 0x285
  } as const
)
/** A status code as {@link Status} has them. */
export type Status = (typeof Status)[keyof typeof Status]

/**
 * Bits of a Status Field besides the code, without the phase tag. [NVMe-Base] "Completion Queue Entry: Status Field".
 */
export const StatusFlag = Object.freeze({ MORE: 1 << 13, DO_NOT_RETRY: 1 << 14 } as const)

/**
 * The Status Field for a code, phase tag excluded. Do Not Retry is set unless the same command may succeed later: the
 * memory or the back end may come back, and an aborted command was not at fault.
 */
export function statusField (status: Status): number {
  switch (status) {
    case Status.SUCCESS:
    case Status.DATA_TRANSFER_ERROR:
    case Status.INTERNAL_ERROR:
    case Status.ABORT_REQUESTED:
    case Status.ABORTED_SQ_DELETION:
    case Status.ASYNC_EVENT_REQUEST_LIMIT_EXCEEDED:
      return status
    default:
      return status | StatusFlag.DO_NOT_RETRY
  }
}

/** What executing a command comes to: at once when everything it needs answers at once. */
export type Outcome = Status | Promise<Status>
