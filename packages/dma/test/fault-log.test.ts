import { DmaAccess, DmaFault } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { FaultLog } from '../src/fault-log.js'
import { PAGE } from './memory-file.js'
import { ListRecorder, makeFile, makeManager, regionOf, SentenceLogger } from './test-manager.js'

describe('FaultLog', () => {
  it('records a fault with all that is known of it', () => {
    const { dma, recorder } = makeManager()
    recorder.events.length = 0
    void dma.read(5 * PAGE + 3, new Uint8Array(7))
    expect(recorder.events).toEqual([
      { type: 'fault', iova: 5 * PAGE + 3, byteLength: 7, access: DmaAccess.READ, fault: DmaFault.UNMAPPED }
    ])
  })

  it('counts all faults, by reason, and records as many as somebody may want to read', () => {
    const recorder = new ListRecorder()
    const logger = new SentenceLogger()
    const faults = new FaultLog(recorder, logger)
    for (let index = 0; index < 5000; index += 1) faults.note(DmaFault.UNMAPPED, index, 1, DmaAccess.READ)
    faults.note(DmaFault.NOT_WRITABLE, 0, 1, DmaAccess.WRITE)
    expect([faults.count(DmaFault.UNMAPPED), faults.count(DmaFault.NOT_WRITABLE)]).toEqual([5000, 1])
    expect(recorder.events.length).toBeGreaterThan(0)
    expect(recorder.events.length).toBeLessThan(2000)
    expect(logger.sentences).toContain('A DMA transfer of the device faulted: no memory is mapped at this address.')
    expect(logger.sentences.length).toBeLessThan(3)
  })

  it('takes a window that polls for one fault', () => {
    const { dma } = makeManager()
    const window = dma.openWindow(0, PAGE, DmaAccess.READ)
    for (let index = 0; index < 100; index += 1) window.locate(0, 4)
    expect(dma.faultCount(DmaFault.UNMAPPED)).toBe(1)
    dma.map(regionOf(makeFile(PAGE), 0))
    window.locate(0, 4)
    dma.setBusMaster(false)
    window.locate(0, 4)
    expect(dma.faultCount(DmaFault.BUS_MASTER_OFF)).toBe(1)
  })
})
