import { RegionIndex } from '@pcikit/core'
import { describePlugin } from '@pcikit/testkit/compliance'

const OUTPUTS = 0
const CLEAR_INTERRUPT = 1
const INTERRUPTS = 2

describePlugin('the card', {
  load: () => import('../src/index.js'),
  // Through the outputs, which the inputs follow: there is no other way to raise one.
  interrupts: pci => {
    const byte = new DataView(new ArrayBuffer(1))
    const write = (port: number, value: number): void => {
      byte.setUint8(0, value)
      void pci.writeRegion(RegionIndex.BAR2, port, byte, 0, 1)
    }
    let levels = 0
    return {
      mode: 'intx',
      vectorCount: 1,
      trigger: () => undefined,
      setIntx: asserted => {
        void pci.readRegion(RegionIndex.BAR2, INTERRUPTS, byte, 0, 1)
        if (asserted) write(OUTPUTS, ++levels)
        else write(CLEAR_INTERRUPT, 0)
      }
    }
  }
})

describePlugin('the card with a counter', {
  load: () => import('../src/index.js'),
  options: { inputs: 'count', countMs: 1 }
})
