import type { CommandHandler } from '../request-context.js'

/** Resets the device; the reply says that no DMA follows. [vfio-user] "VFIO_USER_DEVICE_RESET". */
export const handleDeviceReset: CommandHandler = (_message, _reply, context) => context.function.reset()
