import { RegionIndex } from '@pcikit/core'
import { describePlugin } from '@pcikit/testkit/compliance'
import { Register } from './edu-driver.js'

describePlugin('the educational device', {
  load: () => import('../src/index.js'),
  // A driver can raise and take back what it likes.
  interrupts: pci => ({
    mode: 'intx',
    vectorCount: 1,
    trigger: () => undefined,
    setIntx: asserted => {
      const register = asserted ? Register.INTERRUPT_RAISE : Register.INTERRUPT_ACKNOWLEDGE
      void pci.writeRegion(RegionIndex.BAR0, register, new DataView(Uint32Array.of(1).buffer), 0, 4)
    }
  })
})
