import { BLOCK_BACKEND } from '@pcikit/block'
import { RegionIndex, silentLogger, silentRecorder } from '@pcikit/core'
import type { Extensions } from '@pcikit/core'
import { FakeDmaManager } from '@pcikit/testkit'
import { describe, expect, it, vi } from 'vitest'
import { virtioBlkOptionsSchema } from '../src/index.js'
import { CLOSE_STEP_MS, VirtioBlkDevice } from '../src/virtio-blk-device.js'
import { RecordingBackend } from './fakes/recording-backend.js'
import type { RecordingOptions } from './fakes/recording-backend.js'

function build (options: Record<string, unknown> = {}, settings: RecordingOptions = {}) {
  const backends: RecordingBackend[] = []
  const contribution = {
    name: 'fake',
    summary: 'fake',
    usage: 'fake',
    open: async (argument: string, { blockSize }: { blockSize: number }) => {
      if (argument === 'broken') throw new Error('broken')
      const backend = new RecordingBackend({ ...settings, blockSize })
      backends.push(backend)
      return backend
    }
  }
  const extensions = {
    list: (point: unknown) => point === BLOCK_BACKEND ? [{ value: contribution, plugin: 'fakes' }] : []
  } as unknown as Extensions
  const dma = new FakeDmaManager()
  const device = new VirtioBlkDevice(virtioBlkOptionsSchema.parse({ backend: 'fake', ...options }), {
    identity: { name: 'disk', type: 'virtio-blk' },
    dma,
    busMaster: { setBusMaster: enabled => dma.setBusMaster(enabled) },
    recorder: silentRecorder,
    logger: silentLogger,
    extensions
  })
  return { device, backends }
}

function readConfig ({ function: pci }: VirtioBlkDevice, offset: number): number {
  const view = new DataView(new ArrayBuffer(4))
  void pci.readRegion(RegionIndex.CONFIG, offset, view, 0, 4)
  return view.getUint32(0, true)
}

describe('VirtioBlkDevice', () => {
  it('is a virtio block device of mass storage, with a vector for each queue and one more', async () => {
    const { device } = build({ queues: 3 })
    await device.start()
    expect([readConfig(device, 0), readConfig(device, 8) >>> 8]).toEqual([0x1042_1af4, 0x01_0000])
    expect([0, 1, 2].map(index => device.function.interrupts.info(index as 0).count)).toEqual([1, 0, 4])
    await device.close()
  })

  it('has INTx only with msixVectors 0', async () => {
    const { device } = build({ msixVectors: 0 })
    await device.start()
    expect([0, 1, 2].map(index => device.function.interrupts.info(index as 0).count)).toEqual([1, 0, 0])
    await device.close()
  })

  it('has no function before it started', () => {
    expect(() => build().device.function).toThrow(/start/)
  })

  it('opens its back end with its block size, and flushes and closes it', async () => {
    const { device, backends } = build({ blockSize: 4096 })
    await device.start()
    expect(backends.map(({ blockSize }) => blockSize)).toEqual([4096])
    await device.close()
    expect(backends.map(({ calls }) => calls)).toEqual([['flush', 'close']])
  })

  it('does not flush what loses nothing', async () => {
    const { device, backends } = build({}, { hasVolatileCache: false })
    await device.start()
    await device.close()
    expect(backends[0]!.calls).toEqual(['close'])
  })

  it('closes what it opened where it cannot start', async () => {
    const { device, backends } = build({ zoned: 'zoneSize=128KiB,conventional=8' })
    await expect(device.start()).rejects.toThrow(/conventional/)
    await device.close()
    expect(backends.map(({ calls }) => calls)).toEqual([['close']])
  })

  it('closes although there is nothing to close', async () => {
    const { device } = build({ backend: 'fake:broken' })
    await expect(device.start()).rejects.toThrow(/broken/)
    await device.close()
  })

  it('closes its back end although the flush fails, and says so', async () => {
    const { device, backends } = build()
    await device.start()
    backends[0]!.failure = new Error('worn out')
    await expect(device.close()).rejects.toThrow(/worn out/)
    expect(backends[0]!.calls).toEqual(['flush', 'close'])
  })

  it('closes although its back end is stuck', async () => {
    const { device, backends } = build()
    await device.start()
    backends[0]!.gate = new Promise(() => undefined)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const closing = device.close()
      await vi.advanceTimersByTimeAsync(CLOSE_STEP_MS)
      await closing
    } finally {
      vi.useRealTimers()
    }
    expect(backends[0]!.calls).toEqual(['flush', 'close'])
  })

  it('says what mapped notifications need where it is not there', async () => {
    const { device } = build({ doorbells: 'mmap' })
    await expect(device.start()).rejects.toThrow(/SHARED_MEMORY/)
    await device.close()
  })
})
