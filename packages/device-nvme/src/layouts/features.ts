import { bits } from '@pcikit/wire'

/** [NVMe-Base] "Set Features – Feature Identifiers". */
export const Feature = Object.freeze(
  {
    ARBITRATION: 0x01,
    POWER_MANAGEMENT: 0x02,
    TEMPERATURE_THRESHOLD: 0x04,
    ERROR_RECOVERY: 0x05,
    VOLATILE_WRITE_CACHE: 0x06,
    NUMBER_OF_QUEUES: 0x07,
    INTERRUPT_COALESCING: 0x08,
    INTERRUPT_VECTOR_CONFIGURATION: 0x09,
    WRITE_ATOMICITY: 0x0a,
    ASYNC_EVENT_CONFIGURATION: 0x0b,
    TIMESTAMP: 0x0e,
    KEEP_ALIVE_TIMER: 0x0f,
    HOST_BEHAVIOR_SUPPORT: 0x16
  } as const
)
export type Feature = (typeof Feature)[keyof typeof Feature]

/** Which value Get Features returns. [NVMe-Base] "Get Features – Select". */
export const FeatureSelect = Object.freeze({ CURRENT: 0, DEFAULT: 1, SAVED: 2, SUPPORTED_CAPABILITIES: 3 } as const)

/** [NVMe-Base] "Get Features: Completion Queue Entry Dword 0 when Select is set to 011b". */
export const FeatureCapabilities = Object.freeze({ SAVEABLE: bits(0), NS_SPECIFIC: bits(1), CHANGEABLE: bits(2) })

/** [NVMe-Base] "Power Management": Command Dword 11. */
export const PowerManagement = Object.freeze({ PS: bits(4, 0), WH: bits(7, 5) })
/** [NVMe-Base] "Temperature Threshold": Command Dword 11. */
export const TemperatureThreshold = Object.freeze({ TMPTH: bits(15, 0), TMPSEL: bits(19, 16), THSEL: bits(21, 20) })
/** [NVMe-NVM] "Error Recovery": Command Dword 11. */
export const ErrorRecovery = Object.freeze({ TLER: bits(15, 0), DULBE: bits(16) })
/** [NVMe-Base] "Number of Queues": Command Dword 11, and Dword 0 of the completion. 0's based. */
export const NumberOfQueues = Object.freeze({ NSQ: bits(15, 0), NCQ: bits(31, 16) })
/** [NVMe-Base] "Interrupt Vector Configuration": Command Dword 11. */
export const InterruptVectorConfiguration = Object.freeze({ IV: bits(15, 0), CD: bits(16) })
/** [NVMe-Base] "Asynchronous Event Configuration": Command Dword 11. */
export const AsyncEventConfiguration = Object.freeze({
  SMART: bits(7, 0),
  TEMPERATURE: bits(1),
  NAMESPACE_ATTRIBUTE: bits(8),
  FIRMWARE_ACTIVATION: bits(9)
})

/** Bytes of the Timestamp data structure. [NVMe-Base] "Timestamp – Data Structure for Set Features". */
export const TIMESTAMP_BYTES = 8
/** Bytes of the Host Behavior Support data structure. [NVMe-Base] "Host Behavior Support – Data Structure". */
export const HOST_BEHAVIOR_BYTES = 512
