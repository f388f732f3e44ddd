import { describePciFunction } from '@pcikit/testkit/compliance'
import type { VirtioDescription } from '../src/index.js'
import { Harness } from './transport/harness.js'

function underTest (description: Partial<VirtioDescription>) {
  const harness = new Harness(description)
  const { device } = harness
  return { function: device.function, interrupts: device.interrupts, isBusMaster: () => harness.isBusMaster }
}

describePciFunction('a virtio device with everything', {
  create: () =>
    underTest({
      config: { view: new DataView(new ArrayBuffer(16)), write: () => undefined },
      sharedMemory: [{ id: 1, byteLength: 0x3000, memory: { descriptor: 7, fileOffset: 0, areas: [] } }],
      times: { doorbells: 'mmap' }
    })
})

describePciFunction('a virtio device with little', { create: () => underTest({ queues: [], msixVectors: 0 }) })
