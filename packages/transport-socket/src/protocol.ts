/** Commands of the protocol. [vfio-user] "Commands". */
export const Command = Object.freeze(
  {
    VERSION: 1,
    DMA_MAP: 2,
    DMA_UNMAP: 3,
    DEVICE_GET_INFO: 4,
    DEVICE_GET_REGION_INFO: 5,
    DEVICE_GET_REGION_IO_FDS: 6,
    DEVICE_GET_IRQ_INFO: 7,
    DEVICE_SET_IRQS: 8,
    REGION_READ: 9,
    REGION_WRITE: 10,
    DMA_READ: 11,
    DMA_WRITE: 12,
    DEVICE_RESET: 13,
    /** Of earlier revisions: dirty pages of memory. DEVICE_FEATURE took its place. */
    DIRTY_PAGES: 14,
    REGION_WRITE_MULTI: 15,
    DEVICE_FEATURE: 16,
    MIG_DATA_READ: 17,
    MIG_DATA_WRITE: 18
  } as const
)
export type Command = (typeof Command)[keyof typeof Command]

/** What kind of message the Type bits of the flags say. [vfio-user] "Header". */
export const MessageType = Object.freeze({ COMMAND: 0, REPLY: 1 } as const)
export type MessageType = (typeof MessageType)[keyof typeof MessageType]

/** The protocol that is spoken here: 0.0 and 0.1. [vfio-user] "VFIO_USER_VERSION". */
export const PROTOCOL_MAJOR = 0
export const PROTOCOL_MINOR = 1

/** What `max_data_xfer_size` means where a side does not state it, in bytes. [vfio-user] "VFIO_USER_VERSION". */
export const DEFAULT_TRANSFER_BYTES = 1 << 20

/** What `max_msg_fds` means where a side does not state it. [vfio-user] "VFIO_USER_VERSION". */
export const DEFAULT_DESCRIPTORS = 1

/** What `max_dma_maps` means where a side does not state it, and the most that is offered here. */
export const DMA_MAPS_MAX = 65_535

/** The name of a command as the specification prints it, for messages. */
export function commandName (command: number): string {
  for (const [name, value] of Object.entries(Command)) {
    if (value === command) return name
  }
  return `command ${command}`
}

/** Whether messages of this kind may carry descriptors from a client. */
export function takesDescriptors (command: number): boolean {
  // Deviation: the specification gives DMA_UNMAP no descriptor; SPDK's initiator sends one, which is closed unused.
  return command === Command.DMA_MAP || command === Command.DEVICE_SET_IRQS || command === Command.DMA_UNMAP
}
