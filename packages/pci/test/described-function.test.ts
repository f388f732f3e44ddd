import { RegionIndex } from '@pcikit/core'
import type { PciFunction } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { pciExpress, powerManagement } from '../src/index.js'
import { createFunction, RecordingServices, ScratchBar } from './services.js'

const COMMAND = 0x04
const BUS_MASTER = 0x4
const PMCSR = 0x44
const DEVICE_CONTROL = 0x50
const FLR = 0x8000

const view = new DataView(new ArrayBuffer(64))

function read (pci: PciFunction, offset: number, count: number, region: RegionIndex = RegionIndex.CONFIG): number {
  void pci.readRegion(region, offset, view, 0, count)
  return count === 1 ? view.getUint8(0) : count === 2 ? view.getUint16(0, true) : view.getUint32(0, true)
}

function write (pci: PciFunction, offset: number, value: number, count = 2, region: RegionIndex = RegionIndex.CONFIG) {
  view.setUint32(0, value, true)
  return pci.writeRegion(region, offset, view, 0, count)
}

/** Whether a promise is settled once everything that can run has run. */
async function isSettled (promise: void | Promise<void>): Promise<boolean> {
  let settled = promise === undefined
  void promise?.then(() => {
    settled = true
  })
  await new Promise(resolve => setImmediate(resolve))
  return settled
}

describe('the regions of a function', () => {
  it('are those of the description', () => {
    const { pci } = createFunction()
    const sizes = [0, 1, 2, 3, 4, 5, 6, 7, 8].map(index => pci.region(index as RegionIndex).byteLength)
    expect(sizes).toEqual([0x4000, 0, 0x1000, 0x20, 2 ** 35, 0, 0x800, 4096, 0])
    expect(pci.region(RegionIndex.BAR1)).toEqual({ index: 1, byteLength: 0, readable: false, writable: false })
    expect(pci.region(RegionIndex.ROM).writable).toBe(false)
  })

  it('tell what can be mapped and signalled', () => {
    const memory = { descriptor: 7, fileOffset: 0, areas: [{ offset: 0x1000, byteLength: 0x1000 }] }
    const ioEvents = [{ offset: 0x1000, byteLength: 4, descriptor: 8 }]
    const bars = [{ index: 0, kind: 'memory32' as const, byteLength: 0x4000, memory, ioEvents }]
    const { pci } = createFunction({ bars, interrupts: {} })
    expect(pci.region(RegionIndex.BAR0)).toMatchObject({ memory, ioEvents })
  })

  it('give a doorbell to the device in one access', () => {
    const handler = new ScratchBar(0x4000)
    const { pci } = createFunction({
      bars: [{ index: 0, kind: 'memory64', byteLength: 0x4000, handler }],
      interrupts: {}
    })
    void write(pci, 0x1004, 5, 4, RegionIndex.BAR0)
    expect(handler.accesses).toEqual(['write 4@4100=5'])
  })

  it('answer although Memory Space Enable is clear', () => {
    const { pci } = createFunction()
    void write(pci, 0x10, 0x1234_5678, 4, RegionIndex.BAR2)
    expect(read(pci, 0x10, 4, RegionIndex.BAR2)).toBe(0x1234_5678)
  })

  it('read the ROM, and ones after its contents', () => {
    const { pci } = createFunction()
    expect(read(pci, 0, 4, RegionIndex.ROM)).toBe(0xff01_aa55)
    void write(pci, 0, 0, 4, RegionIndex.ROM)
    expect(read(pci, 1, 2, RegionIndex.ROM)).toBe(0x01aa)
  })

  it('read ones where there is no BAR, and ignore writes', () => {
    const { pci } = createFunction()
    expect(read(pci, 0, 4, RegionIndex.BAR1)).toBe(0xffff_ffff)
    expect(write(pci, 0, 0, 4, RegionIndex.BAR1)).toBeUndefined()
  })
})

describe('bus mastering', () => {
  it('is off from the start, and then switched once for each change of its bit', () => {
    const { pci, services } = createFunction()
    void write(pci, COMMAND, BUS_MASTER)
    void write(pci, COMMAND, BUS_MASTER | 2)
    void write(pci, COMMAND, 2)
    expect(services.log).toEqual(['bus master off', 'bus master on', 'bus master off', 'drain'])
  })

  it('is acknowledged as off only when no transfer is left', async () => {
    const { pci, services } = createFunction()
    await write(pci, COMMAND, BUS_MASTER)
    services.holdsDrain = true
    const done = write(pci, COMMAND, 0)
    expect(services.isBusMaster).toBe(false)
    expect(await isSettled(done)).toBe(false)
    services.finishDrain()
    expect(await isSettled(done)).toBe(true)
  })
})

describe('a reset', () => {
  it('stops bus mastering, then the device, then waits for transfers', async () => {
    const { pci, services } = createFunction()
    await write(pci, COMMAND, BUS_MASTER)
    services.log.length = 0
    await pci.reset()
    expect(services.log).toEqual(['bus master off', 'reset client', 'drain'])
    expect(services.events).toEqual([{ type: 'reset', cause: 'client' }])
  })

  it('is not acknowledged before the last transfer is over', async () => {
    const { pci, services } = createFunction()
    services.holdsDrain = true
    const done = pci.reset()
    expect(await isSettled(done)).toBe(false)
    services.finishDrain()
    expect(await isSettled(done)).toBe(true)
  })

  it('lets no interrupt out that the device raises while it stops', async () => {
    const { pci, services } = createFunction()
    let signals = 0
    const trigger = {
      signal: () => {
        signals++
      },
      close: () => undefined
    }
    pci.interrupts.assign(2, 0, [trigger])
    pci.interrupts.assign(0, 0, [trigger])
    services.onReset = () => {
      pci.deviceInterrupts.trigger(0)
      pci.deviceInterrupts.setIntx(true)
    }
    await write(pci, COMMAND, BUS_MASTER)
    await pci.reset()
    await write(pci, COMMAND, BUS_MASTER)
    expect(signals).toBe(0)
  })

  it('comes after the one before', async () => {
    const { pci, services } = createFunction()
    await Promise.all([pci.reset(), pci.reset('device')])
    expect(services.log.filter(line => line !== 'bus master off')).toEqual([
      'reset client',
      'drain',
      'reset device',
      'drain'
    ])
  })

  it('is refused where the device cannot, and leaves a function that can be reset again', async () => {
    const { pci, services } = createFunction()
    const onReset = services.onReset.bind(services)
    services.onReset = () => Promise.reject(new Error('stuck'))
    await expect(pci.reset()).rejects.toThrow('stuck')
    services.onReset = onReset
    await pci.reset()
    await write(pci, COMMAND, BUS_MASTER)
    expect(services.isBusMaster).toBe(true)
  })
})

describe('a function-level reset', () => {
  it('is one, and keeps what the specification exempts', async () => {
    const { pci, services } = createFunction()
    await write(pci, DEVICE_CONTROL, 0x0020)
    await write(pci, COMMAND, BUS_MASTER)
    services.log.length = 0
    await write(pci, DEVICE_CONTROL, FLR | 0x0020)
    expect(services.log).toEqual(['bus master off', 'reset flr', 'drain'])
    expect(read(pci, DEVICE_CONTROL, 2)).toBe(0x2830)
    expect(read(pci, COMMAND, 2)).toBe(0)
    await pci.reset()
    expect(read(pci, DEVICE_CONTROL, 2)).toBe(0x2810)
  })

  it('answers the write only when it is done', async () => {
    const { pci, services } = createFunction()
    services.holdsDrain = true
    const done = write(pci, DEVICE_CONTROL, FLR)
    expect(await isSettled(done)).toBe(false)
    services.finishDrain()
    expect(await isSettled(done)).toBe(true)
  })

  it('does nothing on a function that does not offer it', async () => {
    const { pci, services } = createFunction({ capabilities: [powerManagement(), pciExpress({ flr: false })] })
    await write(pci, 0x48 + 8, FLR)
    expect(services.log).toEqual(['bus master off'])
  })
})

describe('power states', () => {
  it('stop everything in D3hot, and wait for transfers', async () => {
    const { pci, services } = createFunction()
    await write(pci, COMMAND, BUS_MASTER)
    services.log.length = 0
    await write(pci, PMCSR, 3)
    expect(services.log).toEqual(['D3hot', 'bus master off', 'drain'])
    expect(pci.powerState).toBe('D3hot')
    expect(read(pci, 0x10, 4, RegionIndex.BAR2)).toBe(0xffff_ffff)
    expect(write(pci, 0x10, 1, 4, RegionIndex.BAR2)).toBeUndefined()
  })

  it('reset the function on the way back', async () => {
    const { pci, services } = createFunction()
    await write(pci, PMCSR, 3)
    services.log.length = 0
    await write(pci, PMCSR, 0)
    expect(services.log).toEqual(['D0', 'reset power', 'drain'])
    expect(read(pci, PMCSR, 2)).toBe(0)
  })

  it('keep registers on the way back where No_Soft_Reset is set', async () => {
    const { pci, services } = createFunction({ capabilities: [powerManagement({ noSoftReset: true }), pciExpress()] })
    await write(pci, COMMAND, BUS_MASTER)
    await write(pci, PMCSR, 3)
    await write(pci, PMCSR, 0)
    expect(services.log).not.toContain('reset power')
    expect(services.isBusMaster).toBe(true)
  })

  it('stay as they are when D1 or D2 is asked for', async () => {
    const { pci } = createFunction()
    await write(pci, PMCSR, 1)
    expect(read(pci, PMCSR, 2)).toBe(0)
    await write(pci, PMCSR, 3)
    await write(pci, PMCSR, 2)
    expect(read(pci, PMCSR, 2)).toBe(3)
    expect(pci.powerState).toBe('D3hot')
  })

  it('can be left by a reset too', async () => {
    const services = new RecordingServices()
    const { pci } = createFunction({}, services)
    await write(pci, PMCSR, 3)
    await pci.reset()
    expect(pci.powerState).toBe('D0')
    expect(services.events.filter(({ type }) => type === 'power')).toEqual([
      { type: 'power', state: 'D3hot' },
      { type: 'power', state: 'D0' }
    ])
  })
})

describe('a hook of the configuration space', () => {
  it('holds back the answer to its write until its work ended, and to no later one', async () => {
    const { pci } = createFunction()
    let end = (): void => undefined
    pci.config.onWrite('CACHE_LINE', () => {
      pci.settleAfter(
        new Promise(resolve => {
          end = resolve
        })
      )
    })
    const written = write(pci, 0x0c, 1)
    expect(await isSettled(written)).toBe(false)
    expect(write(pci, 0x3c, 1)).toBeUndefined()
    end()
    expect(await isSettled(written)).toBe(true)
  })
})
