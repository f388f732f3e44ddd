import { RegionIndex, silentLogger, silentRecorder } from '@pcikit/core'
import { FakeDmaManager } from '@pcikit/testkit'
import { describePciFunction } from '@pcikit/testkit/compliance'
import { Idio16, idio16OptionsSchema } from '../src/index.js'

const OUTPUTS = 0
const CLEAR_INTERRUPT = 1
const INTERRUPTS = 2

describePciFunction('the card', {
  create: () => {
    const dma = new FakeDmaManager()
    const services = { dma, busMaster: dma, recorder: silentRecorder, logger: silentLogger }
    const card = new Idio16(idio16OptionsSchema.parse({}), services)
    const byte = new DataView(new ArrayBuffer(1))
    const read = (port: number): void => void card.function.readRegion(RegionIndex.BAR2, port, byte, 0, 1)
    const write = (port: number, value: number): void => {
      byte.setUint8(0, value)
      void card.function.writeRegion(RegionIndex.BAR2, port, byte, 0, 1)
    }
    let level = 0
    return {
      function: card.function,
      isBusMaster: () => dma.isBusMaster,
      // Through the inputs, as it has no other.
      interrupts: {
        mode: 'intx',
        vectorCount: 1,
        trigger: () => undefined,
        setIntx: asserted => {
          read(INTERRUPTS)
          if (asserted) write(OUTPUTS, ++level)
          else write(CLEAR_INTERRUPT, 0)
        }
      },
      close: () => card.close()
    }
  }
})
