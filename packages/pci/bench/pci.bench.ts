import { RegionIndex } from '@pcikit/core'
import { RegisterBank } from '@pcikit/wire'
import { bench, describe } from 'vitest'
import { words } from '../src/index.js'
import { createFunction } from '../test/services.js'

// The way of a doorbell: from the transport through the function to the device, 64 times. It allocates nothing.
const DOORBELL = 0x1000
const ROUNDS = 64
const rung = { sum: 0 }
const handler = {
  read: () => 0,
  write: (offset: number, _size: number, value: number): void => {
    rung.sum += offset + value
  }
}
const view = new DataView(new ArrayBuffer(16))

describe('64 accesses to a BAR', () => {
  const direct = createFunction({ bars: [{ index: 0, kind: 'memory64', byteLength: 0x4000, handler }] }).pci
  bench('doorbell', () => {
    for (let index = 0; index < ROUNDS; index++) {
      void direct.writeRegion(RegionIndex.BAR0, DOORBELL + index * 4, view, 0, 4)
    }
  })

  const bank = new RegisterBank({ CC: { offset: 0x14, writable: 0xffff_ffff } })
  const banked =
    createFunction({ bars: [{ index: 0, kind: 'memory64', byteLength: 0x4000, handler: words(bank) }] }).pci
  bench('register in a bank, written and read', () => {
    for (let index = 0; index < ROUNDS; index++) {
      void banked.writeRegion(RegionIndex.BAR0, 0x14, view, 0, 4)
      void banked.readRegion(RegionIndex.BAR0, 0x14, view, 8, 4)
    }
  })
})

describe('64 interrupts', () => {
  const { pci } = createFunction()
  pci.config.write(0x04, 0x4)
  pci.interrupts.assign(2, 0, [{
    signal: () => {
      rung.sum++
    },
    close: () => undefined
  }])
  bench('MSI-X', () => {
    for (let index = 0; index < ROUNDS; index++) pci.deviceInterrupts.trigger(0)
  })
})
