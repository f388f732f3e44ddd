import { DmaAccess, DmaFault } from '@pcikit/core'
import { FakeDmaManager } from '@pcikit/testkit'
import { describe, expect, it } from 'vitest'
import { BusMasterGate } from '../../src/host/bus-master-gate.js'
import { GatedDma } from '../../src/host/gated-dma.js'

function createGated () {
  const dma = new FakeDmaManager()
  const gate = new BusMasterGate(dma)
  return { dma, gate, gated: new GatedDma(dma, gate) }
}

describe('the bus master switch of one code', () => {
  it('switches nothing while it is closed, and then what was wanted last', () => {
    const { dma, gate } = createGated()
    dma.setBusMaster(true)
    gate.setBusMaster(false)
    expect(dma.isBusMaster).toBe(true)
    gate.setBusMaster(true)
    gate.open()
    expect(dma.isBusMaster).toBe(true)
    gate.setBusMaster(false)
    expect(dma.isBusMaster).toBe(false)
    gate.setBusMaster(true)
    gate.close()
    expect(dma.isBusMaster).toBe(false)
    gate.setBusMaster(true)
    expect(dma.isBusMaster).toBe(false)
  })

  it('leaves the bus alone when it is closed again', () => {
    const { dma, gate } = createGated()
    gate.close()
    dma.setBusMaster(true)
    gate.close()
    expect(dma.isBusMaster).toBe(true)
  })
})

describe('the memory of one code', () => {
  it('is out of reach while its gate is closed', async () => {
    const { dma, gate, gated } = createGated()
    dma.map({ iova: 0, byteLength: 4096, access: DmaAccess.READ_WRITE, fileOffset: 0 })
    dma.setPort({
      transferBytesMax: 4096,
      read: async (_, target) => void target.fill(5),
      write: async () => undefined
    })
    dma.setBusMaster(true)
    const bytes = new Uint8Array(4)
    expect(gated.isBusMaster).toBe(false)
    expect(await gated.read(0, bytes)).toBe(DmaFault.BUS_MASTER_OFF)
    expect(await gated.write(0, bytes)).toBe(DmaFault.BUS_MASTER_OFF)
    gate.setBusMaster(true)
    gate.open()
    expect(gated.isBusMaster).toBe(true)
    expect(await gated.read(0, bytes)).toBe(DmaFault.NONE)
    expect(await gated.write(0, bytes)).toBe(DmaFault.NONE)
    expect([...bytes]).toEqual([5, 5, 5, 5])
  })

  it('tells of memory that comes while the gate is open, and of all that goes', async () => {
    const { dma, gate, gated } = createGated()
    const told: string[] = []
    gated.onMap(() => told.push('map'))
    const subscription = gated.onUnmap(() => told.push('unmap'))
    const region = { iova: 0, byteLength: 4096, access: DmaAccess.READ, fileOffset: 0 }
    dma.map(region)
    await dma.unmapAll()
    gate.open()
    dma.map(region)
    expect(told).toEqual(['unmap', 'map'])
    subscription.close()
    await dma.unmapAll()
    expect(told).toEqual(['unmap', 'map'])
    gated.close()
    dma.map(region)
    expect(told).toEqual(['unmap', 'map'])
  })
})
