import { IrqSet } from './layouts.js'
import { IrqSetFlags } from './protocol.js'

/** A SET_IRQS command. [vfio-user] "VFIO_USER_DEVICE_SET_IRQS". */
export interface IrqSetCommand {
  readonly index: number
  readonly start?: number
  readonly count: number
  readonly action: 'mask' | 'unmask' | 'trigger'
  /**
   * `none`: all of the range. Booleans: those that are true. Descriptors: eventfds to assign, fewer or none at all
   * included, for tests.
   */
  readonly data: 'none' | readonly boolean[] | { readonly descriptors: readonly number[] }
}

const actions = {
  mask: IrqSetFlags.ACTION_MASK,
  unmask: IrqSetFlags.ACTION_UNMASK,
  trigger: IrqSetFlags.ACTION_TRIGGER
} as const

/** The payload of a SET_IRQS, and the descriptors that go with it. */
export function encodeIrqSet (command: IrqSetCommand): { payload: Uint8Array, descriptors: readonly number[] } {
  const { data } = command
  const booleans = Array.isArray(data) ? data as readonly boolean[] : []
  const descriptors = typeof data === 'object' && 'descriptors' in data ? data.descriptors : []
  const payload = new Uint8Array(IrqSet.byteLength + booleans.length)
  const view = new DataView(payload.buffer)
  IrqSet.argsz.set(view, 0, payload.length)
  IrqSet.flags.set(view, 0, dataFlag(data) | actions[command.action])
  IrqSet.index.set(view, 0, command.index)
  IrqSet.start.set(view, 0, command.start ?? 0)
  IrqSet.count.set(view, 0, command.count)
  booleans.forEach((value, at) => {
    payload[IrqSet.byteLength + at] = value ? 1 : 0
  })
  return { payload, descriptors }
}

function dataFlag (data: IrqSetCommand['data']): number {
  if (data === 'none') return IrqSetFlags.DATA_NONE
  return 'descriptors' in data ? IrqSetFlags.DATA_EVENTFD : IrqSetFlags.DATA_BOOL
}
