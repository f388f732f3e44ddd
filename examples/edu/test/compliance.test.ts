import { RegionIndex } from '@pcikit/core'
import { describePciFunction } from '@pcikit/testkit/compliance'
import { DirectEdu } from './direct-edu.js'
import { Register } from './edu-driver.js'

describePciFunction('the educational device', {
  create: () => {
    const { edu, dma } = new DirectEdu()
    const write = (offset: number, value: number): void => {
      void edu.function.writeRegion(RegionIndex.BAR0, offset, new DataView(Uint32Array.of(value).buffer), 0, 4)
    }
    return {
      function: edu.function,
      isBusMaster: () => dma.isBusMaster,
      // Its driver can raise and take back what it likes.
      interrupts: {
        mode: 'intx',
        vectorCount: 1,
        trigger: () => undefined,
        setIntx: asserted => write(asserted ? Register.INTERRUPT_RAISE : Register.INTERRUPT_ACKNOWLEDGE, 1)
      },
      close: () => edu.close()
    }
  }
})
