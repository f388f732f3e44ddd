import { EventRecord } from '@pcikit/core/host'
import type { RecordEntry } from '@pcikit/core/host'
import { describe, expect, it } from 'vitest'

describe('EventRecord', () => {
  it('takes down the order, the time and the device', () => {
    const record = new EventRecord()
    record.forDevice('a').record({ type: 'bus-master', enabled: true })
    record.forDevice('b').record({ type: 'reset', cause: 'flr' })
    const [first, second] = record.entries()
    expect(first).toMatchObject({ sequence: 1, device: 'a', type: 'bus-master', enabled: true })
    expect(second).toMatchObject({ sequence: 2, device: 'b', type: 'reset', cause: 'flr' })
    expect(second?.timeMs).toBeGreaterThanOrEqual(first?.timeMs ?? Infinity)
  })

  it('keeps the last ones, in order', () => {
    const record = new EventRecord(3)
    const recorder = record.forDevice('a')
    for (let number = 0; number < 8; number++) recorder.record({ type: 'bus-master', enabled: number % 2 === 0 })
    expect(record.entries().map(entry => entry.sequence)).toEqual([6, 7, 8])
    expect(record.count).toBe(8)
  })

  it('tells its listeners until they close', () => {
    const record = new EventRecord()
    const seen: RecordEntry[] = []
    const subscription = record.subscribe(entry => void seen.push(entry))
    record.forDevice('a').record({ type: 'client', connected: true })
    subscription.close()
    record.forDevice('a').record({ type: 'client', connected: false })
    expect(seen.map(entry => entry.sequence)).toEqual([1])
  })
})
