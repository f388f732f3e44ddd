import { BLOCK_BACKEND } from '@pcikit/block'
import { isPlugin, RegionIndex, silentLogger, silentRecorder } from '@pcikit/core'
import type { Extensions, RegionInfo } from '@pcikit/core'
import { describe, expect, it, vi } from 'vitest'
import { CLOSE_STEP_MS } from '../src/controller.js'
import plugin, { nvmeDevice, nvmeOptionsSchema } from '../src/index.js'
import { NvmeDevice } from '../src/nvme-device.js'
import { FakeBackend } from './fakes/fake-backend.js'
import { FakeDmaSpace } from './fakes/fake-dma-space.js'
import { nextTurn } from './fakes/harness.js'

interface Built {
  readonly device: NvmeDevice
  readonly dma: FakeDmaSpace
  readonly backends: FakeBackend[]
  readonly closedPages: number[]
}

function build (options: Record<string, unknown> = {}, withSharedMemory = true): Built {
  const backends: FakeBackend[] = []
  const closedPages: number[] = []
  const contribution = {
    name: 'fake',
    summary: 'fake',
    usage: 'fake',
    open: async (argument: string, { blockSize }: { blockSize: number }) => {
      if (argument === 'broken') throw new Error('broken')
      const backend = new FakeBackend({ blockSize })
      backends.push(backend)
      return backend
    }
  }
  const extensions = {
    list: (point: unknown) => point === BLOCK_BACKEND ? [{ value: contribution, plugin: 'fakes' }] : []
  } as unknown as Extensions
  const dma = new FakeDmaSpace()
  const sharedMemory = {
    create: (_name: string, byteLength: number) => ({
      descriptor: 42,
      bytes: new Uint8Array(byteLength),
      close: () => closedPages.push(byteLength)
    })
  }
  const device = new NvmeDevice(nvmeOptionsSchema.parse({ backends: ['fake'], ...options }), {
    identity: { name: 'nvme', type: 'nvme' },
    dma,
    busMaster: { setBusMaster: enabled => dma.setBusMaster(enabled) },
    recorder: silentRecorder,
    logger: silentLogger,
    extensions,
    sharedMemory: withSharedMemory ? sharedMemory : undefined
  })
  return { device, dma, backends, closedPages }
}

function readConfig (device: NvmeDevice, offset: number): number {
  const view = new DataView(new ArrayBuffer(4))
  void device.function.readRegion(RegionIndex.CONFIG, offset, view, 0, 4)
  return view.getUint32(0, true)
}

async function writeBar (device: NvmeDevice, offset: number, value: number): Promise<void> {
  const view = new DataView(new ArrayBuffer(4))
  view.setUint32(0, value, true)
  await device.function.writeRegion(RegionIndex.BAR0, offset, view, 0, 4)
}

function readBar (device: NvmeDevice, offset: number, byteLength = 4): bigint {
  const view = new DataView(new ArrayBuffer(8))
  void device.function.readRegion(RegionIndex.BAR0, offset, view, 0, byteLength)
  return view.getBigUint64(0, true)
}

const regions = (device: NvmeDevice): RegionInfo[] =>
  [RegionIndex.BAR0, RegionIndex.BAR2, RegionIndex.BAR4].map(index => device.function.region(index))

describe('NvmeDevice', () => {
  it('is a PCI function of class NVMe with a 16 KiB BAR 0 and MSI-X in BAR 4', async () => {
    const { device } = build()
    await device.start()
    expect(readConfig(device, 0x00)).toBe(0x4e56_1234)
    expect(readConfig(device, 0x08) >>> 8).toBe(0x01_08_02)
    expect(regions(device).map(({ byteLength }) => byteLength)).toEqual([0x4000, 0, 0x2000])
    expect([0, 1, 2].map(index => device.function.interrupts.info(index as 0).count)).toEqual([1, 32, 65])
    await device.close()
  })

  it('offers MSI only with msixVectors 0', async () => {
    const { device } = build({ msixVectors: 0, queues: 2 })
    await device.start()
    expect(device.function.region(RegionIndex.BAR4).byteLength).toBe(0)
    expect([0, 1, 2].map(index => device.function.interrupts.info(index as 0).count)).toEqual([1, 4, 0])
    await device.close()
  })

  it('reads registers with 64-bit and with narrow accesses', async () => {
    const { device } = build()
    await device.start()
    expect(readBar(device, 0, 8)).toBe(0x0040_0020_2801_03ffn)
    expect([readBar(device, 8, 2), readBar(device, 10, 1), readBar(device, 9, 1)]).toEqual([0x0400n, 1n, 4n])
    await device.close()
  })

  it('maps the doorbell page, and nothing else of the BAR, at its own offset in the file', async () => {
    const { device, closedPages } = build({ doorbells: 'mmap' })
    await device.start()
    expect(device.function.region(RegionIndex.BAR0).memory)
      .toEqual({ descriptor: 42, fileOffset: 0, areas: [{ offset: 0x1000, byteLength: 0x1000 }] })
    await device.close()
    expect(closedPages).toEqual([0x2000])
  })

  it('says what mapped doorbells need where it is not there', () => {
    expect(() => build({ doorbells: 'mmap' }, false)).toThrowError(/SHARED_MEMORY/)
  })

  it('makes a namespace of each back end, with the block size of the option', async () => {
    const { device, backends } = build({ backends: ['fake', 'fake'], blockSize: 4096 })
    await device.start()
    expect(backends.map(backend => backend.blockSize)).toEqual([4096, 4096])
    await device.close()
    expect(backends.map(backend => backend.calls)).toEqual([['flush', 'close'], ['flush', 'close']])
  })

  it.each([
    ['each second', {}, 1000, 1],
    ['as often as it should', { resizeCheckMs: 50 }, 50, 1],
    ['never if it should not', { resizeCheckMs: 0 }, 10_000, 0]
  ])('looks %s whether a back end has another size, until it is closed', async (_, options, timeMs, looks) => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    try {
      const { device, backends } = build(options)
      await device.start()
      const checkSize = vi.spyOn(backends[0]!, 'checkSize')
      await vi.advanceTimersByTimeAsync(timeMs - 1)
      const before = checkSize.mock.calls.length
      await vi.advanceTimersByTimeAsync(1)
      const after = checkSize.mock.calls.length
      await device.close()
      await vi.advanceTimersByTimeAsync(10 * timeMs)
      expect([before, after, checkSize.mock.calls.length]).toEqual([0, looks, looks])
    } finally {
      vi.useRealTimers()
    }
  })

  it('closes what it opened when a later back end does not open', async () => {
    const { device, backends } = build({ backends: ['fake', 'fake:broken'] })
    await expect(device.start()).rejects.toThrow(/broken/)
    await device.close()
    expect(backends.map(backend => backend.calls)).toEqual([['close']])
  })

  it('closes although a back end is stuck, and closes the others', async () => {
    const { device, backends } = build({ backends: ['fake', 'fake'] })
    await device.start()
    backends[0]!.gate = new Promise(() => undefined)
    backends[0]![Symbol.asyncDispose] = () => new Promise(() => undefined)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const closing = device.close()
      await vi.advanceTimersByTimeAsync(3 * CLOSE_STEP_MS)
      await closing
    } finally {
      vi.useRealTimers()
    }
    expect(backends.map(backend => backend.calls)).toEqual([['flush'], ['flush', 'close']])
  })

  it('is reset by a reset of its function', async () => {
    const { device } = build()
    await device.start()
    await writeBar(device, 0x24, 0x1f_001f)
    await writeBar(device, 0x14, 0x0046_0001)
    for (let turn = 0; turn < 3; turn++) await nextTurn()
    expect(readBar(device, 0x1c)).toBe(1n)
    await device.function.reset()
    expect([readBar(device, 0x1c), readBar(device, 0x24), readBar(device, 0x14)]).toEqual([0n, 0n, 0n])
    await device.close()
  })

  it('has the same identity for the same serial number, and another for another', async () => {
    const serials = ['A', 'A', 'B']
    const numbers = serials.map(serial => {
      const { device } = build({ serial })
      return [readConfig(device, 0x104), readConfig(device, 0x108)].join()
    })
    expect(numbers[0]).toBe(numbers[1])
    expect(numbers[0]).not.toBe(numbers[2])
  })
})

describe('the plugin', () => {
  it('contributes the device type nvme', () => {
    expect(isPlugin(plugin)).toBe(true)
    expect(plugin.contributes.map(({ value }) => value.name)).toEqual(['nvme'])
  })

  it('describes its options, with defaults, as JSON Schema', () => {
    const schema = nvmeDevice.options['~standard'].jsonSchema?.input({ target: 'draft-2020-12' }) as {
      properties: Record<string, { description?: string, default?: unknown }>
    }
    const described = Object.entries(schema.properties).filter(([, { description }]) => description !== undefined)
    expect(described).toHaveLength(Object.keys(schema.properties).length)
    expect(schema.properties.blockSize?.default).toBe(512)
    expect(schema.properties.doorbells?.default).toBe('trap')
  })

  it.each([
    [{ blockSize: 1024 }],
    [{ queues: 65 }],
    [{ queueEntries: 1 }],
    [{ maxTransfer: 5000 }],
    [{ serial: 'way too long for a serial number' }],
    [{ backends: [] }],
    [{ faultPolicy: 'ignore' }],
    [{ unknown: 1 }]
  ])('refuses %o', options => {
    expect(nvmeOptionsSchema.safeParse(options).success).toBe(false)
  })
})
