import block from '@pcikit/block'
import type { PciFunction } from '@pcikit/core'
import type { DescribedPciFunction } from '@pcikit/pci'
import { describePlugin } from '@pcikit/testkit/compliance'

const load = () => import('../src/index.js')
const interrupts = (pci: PciFunction) => (pci as DescribedPciFunction).deviceInterrupts
const options = { backend: 'memory:1MiB' }
const failingOptions = { backend: 'file:/nowhere/disk.img' }

describePlugin('virtio-blk', { load, options, failingOptions, plugins: [block], interrupts })

describePlugin('virtio-blk with mapped notifications', {
  load,
  options: { ...options, doorbells: 'mmap' },
  failingOptions: { ...failingOptions, doorbells: 'mmap' },
  plugins: [block],
  interrupts
})
