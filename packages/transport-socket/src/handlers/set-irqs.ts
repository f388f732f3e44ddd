import { IRQ_INDEX_COUNT, IrqIndex } from '@pcikit/core'
import type { InterruptLines } from '@pcikit/core'
import { adoptEventFd } from '@pcikit/native'
import { EventFdTrigger } from '../event-fd-trigger.js'
import { IrqAction, IrqData, IrqSetFlags, IrqSetLayout } from '../layouts/irq.js'
import type { Message } from '../message.js'
import { invalid, requirePayload } from '../request-context.js'
import type { CommandHandler, RequestContext } from '../request-context.js'

/** A request whose fields were checked against the device. */
interface IrqSet {
  readonly index: IrqIndex
  readonly start: number
  readonly count: number
  readonly data: number
  readonly action: number
}

/** Sets up, masks, unmasks or triggers interrupts. [vfio-user] "VFIO_USER_DEVICE_SET_IRQS". */
export const handleSetIrqs: CommandHandler = (message, _reply, context) => {
  const set = parse(message, context)
  if (set.count === 0) disable(set.index, context)
  else if (set.data === IrqData.EVENTFD) setEventFds(message, set, context)
  else if (set.data === IrqData.NONE) act(context.function.interrupts, set.action, set.index, set.start, set.count)
  else actWhereTrue(message, set, context)
}

function parse (message: Message, context: RequestContext): IrqSet {
  requirePayload(message, IrqSetLayout.byteLength)
  const { view, position } = message
  // "argsz is the size of the VFIO IRQ set request payload, including any data field."
  const argsz = IrqSetLayout.argsz.get(view, position)
  if (argsz !== message.byteLength) throw invalid(message, `has ${message.byteLength} bytes and an argsz of ${argsz}`)
  const flags = IrqSetLayout.flags.get(view, position)
  if ((flags & ~IrqSetFlags.ALL_MASK) !== 0) throw invalid(message, `has flags 0x${flags.toString(16)}`)
  const data = flags & IrqSetFlags.DATA_MASK
  const action = flags & IrqSetFlags.ACTION_MASK
  // "The flags are mutually exclusive for both sets."
  if (!isOneBit(data) || !isOneBit(action)) throw invalid(message, 'needs one kind of data and one action')
  const index = IrqSetLayout.index.get(view, position)
  if (index >= IRQ_INDEX_COUNT) throw invalid(message, `means interrupts ${index} of ${IRQ_INDEX_COUNT}`)
  const start = IrqSetLayout.start.get(view, position)
  const count = IrqSetLayout.count.get(view, position)
  const set = { index: index as IrqIndex, start, count, data, action }
  checkRange(message, set, context)
  checkData(message, set)
  return set
}

function checkRange (message: Message, set: IrqSet, context: RequestContext): void {
  const { index, start, count, data, action } = set
  const available = context.function.interrupts.info(index).count
  if (start + count > available) throw invalid(message, `means vectors ${start} to ${start + count} of ${available}`)
  const isSignal = index === IrqIndex.ERR || index === IrqIndex.REQ
  if (isSignal && action !== IrqAction.TRIGGER) throw invalid(message, 'masks an interrupt that cannot be masked')
  // "As a special case, a count (and start) of 0, with data flags of VFIO_IRQ_SET_DATA_NONE disables all interrupts."
  if (count > 0) return
  if (start !== 0 || data !== IrqData.NONE || action !== IrqAction.TRIGGER) throw invalid(message, 'has a count of 0')
}

function checkData (message: Message, set: IrqSet): void {
  const dataBytes = message.byteLength - IrqSetLayout.byteLength
  if (set.data === IrqData.BOOL && dataBytes !== set.count) {
    throw invalid(message, `has ${dataBytes} booleans for ${set.count} vectors`)
  }
  const descriptorCount = message.descriptors.length
  if (set.data !== IrqData.EVENTFD && descriptorCount > 0) throw invalid(message, 'came with descriptors')
  // "If no file descriptors are provided, this de-assigns the specified previously configured interrupts."
  if (set.data === IrqData.EVENTFD && descriptorCount !== 0 && descriptorCount !== set.count) {
    throw invalid(message, `came with ${descriptorCount} descriptors for ${set.count} vectors`)
  }
}

function disable (index: IrqIndex, context: RequestContext): void {
  const lines = context.function.interrupts
  const { count } = lines.info(index)
  if (count === 0) return
  lines.assign(index, 0, new Array<undefined>(count).fill(undefined))
  for (let vector = 0; vector < count; vector++) {
    context.watches.remove('mask', index, vector)
    context.watches.remove('unmask', index, vector)
  }
  // VFIO forgets masks with the set-up; a client that sets the interrupt up again does not unmask it first.
  if (index !== IrqIndex.ERR && index !== IrqIndex.REQ) lines.unmask(index, 0, count)
}

function setEventFds (message: Message, set: IrqSet, context: RequestContext): void {
  for (const descriptor of message.descriptors) checkEventFd(message, descriptor)
  if (set.action === IrqAction.TRIGGER) setTriggers(message, set, context.function.interrupts)
  else setWatches(message, set, context)
}

/** Nothing else is ever signalled: writing to a pipe or a file of the client could block this process. */
function checkEventFd (message: Message, descriptor: number): void {
  try {
    adoptEventFd(descriptor)
  } catch {
    throw invalid(message, 'came with a descriptor that is not an eventfd')
  }
}

function setTriggers (message: Message, set: IrqSet, lines: InterruptLines): void {
  if (message.descriptors.length === 0) {
    lines.assign(set.index, set.start, new Array<undefined>(set.count).fill(undefined))
    return
  }
  const triggers = message.takeDescriptors().map(descriptor => new EventFdTrigger(descriptor))
  lines.assign(set.index, set.start, triggers)
}

function setWatches (message: Message, set: IrqSet, context: RequestContext): void {
  const { index, start, count } = set
  const action = set.action === IrqAction.MASK ? 'mask' : 'unmask'
  const lines = context.function.interrupts
  const descriptors = message.takeDescriptors()
  for (let nth = 0; nth < count; nth++) {
    const vector = start + nth
    const descriptor = descriptors[nth]
    const onSignal = (): void => lines[action](index, vector, 1)
    if (descriptor === undefined) context.watches.remove(action, index, vector)
    else context.watches.set(action, index, vector, descriptor, onSignal)
  }
}

function actWhereTrue (message: Message, set: IrqSet, context: RequestContext): void {
  const booleans = message.position + IrqSetLayout.byteLength
  for (let nth = 0; nth < set.count; nth++) {
    if (message.view.getUint8(booleans + nth) === 0) continue
    act(context.function.interrupts, set.action, set.index, set.start + nth, 1)
  }
}

function act (lines: InterruptLines, action: number, index: IrqIndex, start: number, count: number): void {
  if (action === IrqAction.MASK) lines.mask(index, start, count)
  else if (action === IrqAction.UNMASK) lines.unmask(index, start, count)
  else lines.trigger(index, start, count)
}

function isOneBit (bits: number): boolean {
  return bits !== 0 && (bits & (bits - 1)) === 0
}
