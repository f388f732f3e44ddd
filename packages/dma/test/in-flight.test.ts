import { describe, expect, it } from 'vitest'
import { endTransfers, InFlight, patienceMs } from '../src/in-flight.js'
import type { InUse } from '../src/in-flight.js'

class Holder implements InUse {
  readonly inFlight = new InFlight()
  cuts = 0

  cutOff (): void {
    this.cuts += 1
  }
}

describe('InFlight', () => {
  it('tells everybody who waits, once, when the last one left', () => {
    const inFlight = new InFlight()
    const told: string[] = []
    inFlight.enter()
    inFlight.enter()
    inFlight.whenIdle(() => told.push('first'))
    inFlight.whenIdle(() => told.push('second'))
    inFlight.leave()
    expect(told).toEqual([])
    inFlight.leave()
    inFlight.enter()
    inFlight.leave()
    expect(told).toEqual(['first', 'second'])
  })

  it('tells at once when nothing is in flight', () => {
    let told = false
    new InFlight().whenIdle(() => {
      told = true
    })
    expect(told).toBe(true)
  })
})

describe('endTransfers', () => {
  it('cuts off what stays past the deadline, and nothing else', async () => {
    const [quick, stuck] = [new Holder(), new Holder()]
    quick.inFlight.enter()
    stuck.inFlight.enter()
    const done = endTransfers([quick, stuck], 10)
    quick.inFlight.leave()
    expect(await done).toBe(1)
    expect([quick.cuts, stuck.cuts]).toEqual([0, 1])
  })

  it('does not take new transfers for those it waits for', async () => {
    const holder = new Holder()
    holder.inFlight.enter()
    const done = endTransfers([holder], 60_000)
    holder.inFlight.leave()
    holder.inFlight.enter()
    expect(await done).toBe(0)
    expect(holder.cuts).toBe(0)
  })

  it('rejects when what is in flight cannot be cut off', async () => {
    const holder = new Holder()
    holder.cutOff = () => {
      throw new Error('no memory')
    }
    holder.inFlight.enter()
    await expect(endTransfers([holder], 1)).rejects.toThrow('no memory')
  })
})

describe('patienceMs', () => {
  it.each([[1, 0.5], [10, 5], [50, 40], [200, 180], [1000, 900], [60_000, 54_000]])(
    'leaves time before a deadline of %i ms to cut off, and to answer',
    (deadlineMs, expected) => {
      expect(patienceMs(deadlineMs)).toBe(expected)
    }
  )
})
