import { IrqIndex, isPcikitError } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { fakeTrigger } from './fake-lines.js'
import { saving, SwapBench } from './swap-bench.js'
import type { Version, VersionedDevice } from './swap-bench.js'

const boom = (): never => {
  throw new Error('boom')
}

/** What an exchange was refused with. */
async function refusal (swap: Promise<unknown>) {
  const error = await swap.then(() => undefined, (failure: unknown) => failure)
  if (!isPcikitError(error)) throw new Error('a swap is refused with a PcikitError', { cause: error })
  return error
}

const one: Version = { number: 1, ...saving }
const two: Version = { number: 2, ...saving }

describe('a swap', () => {
  it('puts new code where the old was, with the state of device and function', async () => {
    const bench = await SwapBench.open(one)
    bench.connect()
    await bench.setBusMaster(true)
    await bench.write(0, 42)
    const { state, reason } = await bench.swap(two)
    expect([state, reason]).toEqual(['carried', undefined])
    expect([await bench.read(0), await bench.read(4)]).toEqual([42, 2])
    expect(bench.dma.isBusMaster).toBe(true)
    expect(bench.host.record.entries().at(-1)).toMatchObject({ type: 'swap', state: 'carried' })
    expect(bench.warnings).toEqual([])
  })

  it('takes the steps in their order', async () => {
    const steps: string[] = []
    const version = (number: number): Version => {
      const note = (step: string): void => void steps.push(`${step} ${number}`)
      return {
        number,
        onBuild: ({ dma }) => {
          note('build')
          dma.onMap(() => note('memory for'))
          dma.onUnmap(() => note('no memory for'))
        },
        start: async () => note('start'),
        save: async () => {
          note('save')
          return {}
        },
        restore: async () => note('restore'),
        close: async () => note('close')
      }
    }
    const bench = await SwapBench.open(version(1))
    await bench.setBusMaster(true)
    steps.length = 0
    await bench.swap(version(2))
    expect(steps).toEqual([
      ...['build 2', 'save 1', 'no memory for 1', 'no memory for 2', 'close 1', 'start 2', 'restore 2'],
      'memory for 2'
    ])
  })

  it('resets a device that cannot save or restore, and says why; its function goes on', async () => {
    const bench = await SwapBench.open({ number: 1 })
    await bench.setBusMaster(true)
    await bench.write(0, 42)
    expect(await bench.swap(two)).toMatchObject({ state: 'reset', reason: 'the code before has no save()' })
    expect([await bench.read(0), bench.dma.isBusMaster]).toEqual([0, true])
    await bench.write(0, 43)
    expect(await bench.swap({ number: 3 })).toMatchObject({ state: 'reset', reason: 'the new code has no restore()' })
    expect([await bench.read(0), await bench.read(4), bench.dma.isBusMaster]).toEqual([0, 3, true])
  })

  it.each(
    [
      ['throws', boom, 'boom'],
      ['rejects', () => Promise.reject(new Error('boom')), 'boom'],
      ['is no plain data', () => ({ call: boom }), 'could not be cloned']
    ] as const
  )('resets a device whose save %s, so that new code can mend it', async (_, save, message) => {
    const bench = await SwapBench.open({ ...one, save })
    await bench.write(0, 42)
    const { state, reason } = await bench.swap(two)
    expect([state, reason]).toEqual(['reset', expect.stringContaining(message)])
    expect([await bench.read(0), await bench.read(4)]).toEqual([0, 2])
    expect(bench.warnings).toHaveLength(1)
  })

  it('goes on after code that does not close', async () => {
    const bench = await SwapBench.open({ ...one, close: async () => boom() })
    await bench.write(0, 42)
    await bench.swap(two)
    expect([await bench.read(0), await bench.read(4)]).toEqual([42, 2])
    expect(bench.warnings).toEqual(['A code of the device did not close as it should'])
  })

  it('has the client wait with an access, which the new code answers', async () => {
    let beginSave = (): void => undefined
    const isSaving = new Promise<void>(resolve => (beginSave = resolve))
    let letSaveEnd = (): void => undefined
    const saveEnd = new Promise<void>(resolve => (letSaveEnd = resolve))
    const bench = await SwapBench.open({
      ...one,
      async save (this: VersionedDevice) {
        beginSave()
        await saveEnd
        return { word: this.word }
      }
    })
    const swap = bench.swap(two)
    await isSaving
    const written = bench.write(0, 7)
    const number = bench.read(4)
    letSaveEnd()
    await swap
    await written
    expect([await number, await bench.read(0)]).toEqual([2, 7])
    expect(bench.built.map(({ word }) => word)).toEqual([0, 7])
  })

  it('gives the interrupts of the client to the new code, and those that are due', async () => {
    const bench = await SwapBench.open(one)
    bench.connect()
    const [trigger, other] = [fakeTrigger(), fakeTrigger()]
    const lines = bench.endpoint.function.interrupts
    lines.assign(IrqIndex.MSIX, 0, [trigger, other])
    const [first] = bench.built
    // Bus mastering is off: both are due, one is masked too.
    first?.function.deviceInterrupts.trigger(0)
    first?.function.deviceInterrupts.trigger(1)
    lines.mask(IrqIndex.MSIX, 1, 1)
    await bench.swap(two)
    await bench.setBusMaster(true)
    expect([trigger.signals, other.signals]).toEqual([1, 0])
    bench.built.at(-1)?.function.deviceInterrupts.trigger(0)
    first?.function.deviceInterrupts.trigger(0)
    expect(trigger.signals).toBe(2)
    lines.unmask(IrqIndex.MSIX, 1, 1)
    expect(other.signals).toBe(1)
    expect([trigger.closes, other.closes]).toEqual([0, 0])
  })

  it('keeps memory that clients mapped, and makes it new for a device that is reset', async () => {
    const bench = await SwapBench.open(one)
    const { bytes } = bench.built[0]!.memory
    bytes[0] = 9
    await bench.swap(two)
    expect(bench.built[1]?.memory.bytes).toBe(bytes)
    expect(bytes[0]).toBe(9)
    await bench.swap({ number: 3 })
    expect(bench.built[2]?.memory.bytes).toBe(bytes)
    expect(bytes[0]).toBe(0)
    expect(bench.journal.entries).not.toContain('page closed')
    await bench.device.close()
    expect(bench.journal.entries).toContain('page closed')
  })

  it('is one at a time, in the order in which they were asked for', async () => {
    const bench = await SwapBench.open(one)
    await bench.write(0, 42)
    const swaps = [2, 3, 4].map(number => bench.swap({ number, ...saving }))
    await Promise.all(swaps)
    expect([await bench.read(0), await bench.read(4)]).toEqual([42, 4])
    expect(bench.built).toHaveLength(4)
  })

  it('is finished before its device closes, and none follows', async () => {
    const steps: string[] = []
    const bench = await SwapBench.open(one)
    const swap = bench.swap({ ...two, close: async () => void steps.push('close 2') })
    const late = bench.host.close().then(() => steps.push('closed'))
    const after = refusal(bench.swap({ number: 3 }))
    await swap
    await late
    expect(steps).toEqual(['close 2', 'closed'])
    expect((await after).code).toBe('PCIKIT_HOST_CLOSED')
  })

  it('tells the new code of a client that went meanwhile', async () => {
    const told: string[] = []
    const bench = await SwapBench.open(one)
    const client = bench.connect()
    const swap = bench.swap({ ...two, start: () => client.close(), clientGone: () => void told.push('gone') })
    await swap
    expect(told).toEqual(['gone'])
  })
})

describe('new code that fails', () => {
  it.each<[string, Partial<Version>, string]>([
    ['when it is built', { onBuild: boom }, 'PCIKIT_DEVICE_FAILED'],
    ['when it is started', { start: boom }, 'PCIKIT_SWAP_FAILED'],
    ['when it restores', { restore: boom }, 'PCIKIT_SWAP_FAILED'],
    [
      'when its function restores',
      {
        onBuild: device => {
          device.function.restore = boom
        }
      },
      'PCIKIT_SWAP_FAILED'
    ]
  ])('%s leaves the old code where it was', async (_, failing, code) => {
    const bench = await SwapBench.open(one)
    bench.connect()
    await bench.setBusMaster(true)
    await bench.write(0, 42)
    const closed: string[] = []
    const error = await refusal(bench.swap({ ...two, close: async () => void closed.push('2'), ...failing }))
    expect(error.code).toBe(code)
    expect([await bench.read(0), await bench.read(4), bench.dma.isBusMaster]).toEqual([42, 1, true])
    expect(closed).toEqual(code === 'PCIKIT_SWAP_FAILED' ? ['2'] : [])
    await bench.swap(two)
    expect([await bench.read(0), await bench.read(4)]).toEqual([42, 2])
  })

  it('says so when the old code saves nothing to go on from', async () => {
    const bench = await SwapBench.open({ number: 1 })
    await bench.write(0, 42)
    const { message } = await refusal(bench.swap({ ...two, start: boom }))
    expect(message).toContain('The old code goes on, as after power-on')
    expect([await bench.read(0), await bench.read(4)]).toEqual([0, 1])
  })

  it('takes the device off its bus where the old code fails too; the next one goes on from where it was', async () => {
    let starts = 0
    const bench = await SwapBench.open({ ...one, start: async () => starts++ > 0 ? boom() : undefined })
    bench.connect()
    await bench.setBusMaster(true)
    await bench.write(0, 42)
    const error = await refusal(bench.swap({ ...two, start: boom }))
    expect([error.code, error.details]).toEqual(['PCIKIT_SWAP_FAILED', { device: 'word', became: 'off its bus' }])
    expect([await bench.read(0), bench.dma.isBusMaster]).toEqual([0xffff_ffff, false])
    expect((await refusal(bench.swap({ ...two, start: boom }))).details).toMatchObject({ became: 'off its bus' })
    expect(await bench.swap(two)).toMatchObject({ state: 'carried' })
    expect([await bench.read(0), await bench.read(4), bench.dma.isBusMaster]).toEqual([42, 2, true])
  })

  it('is refused by name when it has no such device', async () => {
    const bench = await SwapBench.open(one)
    const plugin = bench.plugin(two)
    const error = await refusal(bench.device.swap({ ...plugin, contributes: [] }))
    expect([error.code, error.message]).toEqual([
      'PCIKIT_EXTENSION_NOT_FOUND',
      expect.stringContaining("pcikit-device-word has no device type 'word' any more")
    ])
    expect(await bench.read(4)).toBe(1)
  })

  it('of another plugin API is refused', async () => {
    const bench = await SwapBench.open(one)
    const error = await refusal(bench.device.swap({ ...bench.plugin(two), api: 0 }))
    expect(error.code).toBe('PCIKIT_PLUGIN_API_VERSION_MISMATCH')
  })
})

describe('new code with another function', () => {
  it.each([false, true])('is refused while a client is there (made when it starts: %s)', async isLate => {
    const bench = await SwapBench.open(one)
    const client = bench.connect()
    await bench.write(0, 42)
    const other: Version = { ...two, barBytes: 8192, isLate }
    const error = await refusal(bench.swap(other))
    expect([error.code, error.details['differences']]).toEqual([
      'PCIKIT_SWAP_SHAPE_DIFFERS',
      ['BAR 0 was 4096 bytes rw and is 8192 bytes rw']
    ])
    expect([await bench.read(0), await bench.read(4)]).toEqual([42, 1])
    await client.close()
    const { state, reason } = await bench.swap(other)
    expect([state, reason]).toEqual(['reset', expect.stringContaining('BAR 0 was 4096 bytes')])
    expect([await bench.read(0), await bench.read(4)]).toEqual([0, 2])
    expect(bench.endpoint.function.region(0).byteLength).toBe(8192)
  })

  it('has clients wait until it is there', async () => {
    const bench = await SwapBench.open(one)
    let refused: unknown
    await bench.swap({
      ...two,
      vectors: 4,
      start: async () => {
        try {
          bench.connect()
        } catch (error) {
          refused = error
        }
      }
    })
    expect(refused).toMatchObject({ name: 'ProtocolError' })
    bench.connect()
    expect(bench.endpoint.function.interrupts.info(IrqIndex.MSIX).count).toBe(4)
  })
})

describe('a device that is taken off its bus', () => {
  it('reads ones and reaches no memory until its code is exchanged', async () => {
    const bench = await SwapBench.open(one)
    bench.connect()
    await bench.setBusMaster(true)
    await bench.write(0, 42)
    bench.device.takeOffBus(new Error('nobody caught this'))
    expect([await bench.read(0), bench.dma.isBusMaster]).toEqual([0xffff_ffff, false])
    expect(bench.warnings[0]).toContain('a turn of its own broke the device')
    expect(await bench.swap(two)).toMatchObject({ state: 'carried' })
    expect([await bench.read(0), await bench.read(4), bench.dma.isBusMaster]).toEqual([42, 2, true])
  })
})
