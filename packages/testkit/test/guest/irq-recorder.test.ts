import { signalEventFd } from '@pcikit/native'
import { afterEach, describe, expect, it } from 'vitest'
import { IrqRecorder } from '../../src/guest/irq-recorder.js'
import type { IrqSetCommand } from '../../src/vfio-user/irq-set.js'

let recorder: IrqRecorder | undefined
const commands: IrqSetCommand[] = []
const client = {
  setIrqs: (command: IrqSetCommand) => {
    commands.push(command)
    return Promise.resolve()
  }
}

afterEach(() => {
  recorder?.close()
  commands.length = 0
})

describe('IrqRecorder', () => {
  it('assigns eventfds in chunks of sixteen', async () => {
    recorder = await IrqRecorder.attach(client, 2, 20)
    expect(commands.map(({ index, start, count, action }) => ({ index, start, count, action }))).toEqual([
      { index: 2, start: 0, count: 16, action: 'trigger' },
      { index: 2, start: 16, count: 4, action: 'trigger' }
    ])
  })

  it('hands each signal out once', async () => {
    recorder = await IrqRecorder.attach(client, 2, 2)
    const waiting = recorder.next(1)
    signalEventFd(recorder.descriptor(1), 2)
    await waiting
    await recorder.next(1)
    expect(recorder.count(1)).toBe(2)
    expect(recorder.count(0)).toBe(0)
  })

  it('takes the kind of interrupt away before it closes', async () => {
    recorder = await IrqRecorder.attach(client, 1, 1)
    await recorder.detach()
    expect(commands.at(-1)).toEqual({ index: 1, count: 0, action: 'trigger', data: 'none' })
  })
})
