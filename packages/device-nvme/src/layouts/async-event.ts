import { bits } from '@pcikit/wire'

/** [NVMe-Base] "Asynchronous Event Request command": Completion Queue Entry Dword 0. */
export const AsyncEventResult = Object.freeze({ AET: bits(2, 0), AEI: bits(15, 8), LID: bits(23, 16) })

/** [NVMe-Base] "Asynchronous Event Type". */
export const AsyncEventType = Object.freeze({ ERROR: 0, HEALTH: 1, NOTICE: 2 } as const)
export type AsyncEventType = (typeof AsyncEventType)[keyof typeof AsyncEventType]

/** [NVMe-Base] "Asynchronous Event Information – Error Status". */
export const ErrorEvent = Object.freeze({ INVALID_DOORBELL_REGISTER: 0, INVALID_DOORBELL_VALUE: 1 } as const)
/** [NVMe-Base] "Asynchronous Event Information – SMART / Health Status". */
export const HealthEvent = Object.freeze({ TEMPERATURE_THRESHOLD: 1 } as const)
/** [NVMe-Base] "Asynchronous Event Information – Notice". */
export const NoticeEvent = Object.freeze({ ATTACHED_NAMESPACE_ATTRIBUTE_CHANGED: 0 } as const)
