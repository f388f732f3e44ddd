import { describePciFunction } from '@pcikit/testkit/compliance'
import { powerManagement } from '../src/index.js'
import { createFunction } from './services.js'

function underTest (parts: Parameters<typeof createFunction>[0]) {
  const { pci, services } = createFunction(parts)
  return { function: pci, interrupts: pci.deviceInterrupts, isBusMaster: () => services.isBusMaster }
}

describePciFunction('a function with everything', { create: () => underTest({}) })

describePciFunction('a function with nothing', {
  create: () => underTest({ bars: [], interrupts: {}, capabilities: [], extendedCapabilities: [] })
})

describePciFunction('a function that keeps its registers in D3hot', {
  create: () => underTest({ capabilities: [powerManagement({ noSoftReset: true })], extendedCapabilities: [] })
})
