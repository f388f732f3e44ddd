import { describePciFunction } from '@pcikit/testkit/compliance'
import { FakeMachine } from './fake-machine.js'

// What PCI Express asks of every function: configuration space, resets, interrupts.
describePciFunction('YourDevice', {
  create: () => {
    const { device, dma } = new FakeMachine()
    return {
      function: device.function,
      interrupts: device.interrupts,
      isBusMaster: () => dma.isBusMaster,
      close: () => device.close()
    }
  }
})
