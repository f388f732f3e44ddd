import { IRQ_INDEX_COUNT } from '@pcikit/core'
import type { IrqIndex } from '@pcikit/core'
import { IrqInfoFlags, IrqInfoLayout } from '../layouts/irq.js'
import { invalid, requireArgsz, requirePayload } from '../request-context.js'
import type { CommandHandler } from '../request-context.js'

/** Tells about one kind of interrupt. [vfio-user] "VFIO_USER_DEVICE_GET_IRQ_INFO". */
export const handleIrqInfo: CommandHandler = (message, reply, context) => {
  requirePayload(message, IrqInfoLayout.byteLength)
  const { view, position } = message
  requireArgsz(message, IrqInfoLayout.argsz.get(view, position), IrqInfoLayout.byteLength)
  const index = IrqInfoLayout.index.get(view, position)
  if (index >= IRQ_INDEX_COUNT) throw invalid(message, `asks for interrupts ${index} of ${IRQ_INDEX_COUNT}`)
  const info = context.function.interrupts.info(index as IrqIndex)
  let flags = IrqInfoFlags.EVENTFD.mask
  flags = IrqInfoFlags.MASKABLE.set(flags, info.maskable ? 1 : 0)
  flags = IrqInfoFlags.AUTOMASKED.set(flags, info.automasked ? 1 : 0)
  flags = IrqInfoFlags.NORESIZE.set(flags, info.noresize ? 1 : 0)
  const at = reply.payload(IrqInfoLayout.byteLength)
  IrqInfoLayout.argsz.set(reply.view, at, IrqInfoLayout.byteLength)
  IrqInfoLayout.flags.set(reply.view, at, flags)
  IrqInfoLayout.index.set(reply.view, at, index)
  IrqInfoLayout.count.set(reply.view, at, info.count)
}
