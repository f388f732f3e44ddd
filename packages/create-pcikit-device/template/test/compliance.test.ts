import type { DescribedPciFunction } from '@pcikit/pci'
import { describePlugin } from '@pcikit/testkit/compliance'

// What a host asks of a plugin, and PCI Express of a function.
describePlugin('your-device', {
  load: () => import('../src/index.js'),
  interrupts: pci => (pci as DescribedPciFunction).deviceInterrupts
})
