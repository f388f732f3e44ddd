import block from '@pcikit/block'
import type { PciFunction } from '@pcikit/core'
import type { DescribedPciFunction } from '@pcikit/pci'
import { describePlugin } from '@pcikit/testkit/compliance'

const load = () => import('../src/index.js')
const interrupts = (pci: PciFunction) => (pci as DescribedPciFunction).deviceInterrupts
const options = { backends: ['memory:1MiB'], queues: 4 }
const failingOptions = { backends: ['memory:1MiB', 'file:/nowhere/disk.img'] }

describePlugin('nvme', { load, options, failingOptions, plugins: [block], interrupts })

describePlugin('nvme with mapped doorbells', {
  load,
  options: { ...options, doorbells: 'mmap' },
  failingOptions: { ...failingOptions, doorbells: 'mmap' },
  plugins: [block],
  interrupts
})
