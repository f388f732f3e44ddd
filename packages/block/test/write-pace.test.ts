import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { WritePace } from '../src/write-pace.js'

let nowMs: number
let pace: WritePace

beforeEach(() => {
  nowMs = 1000
  pace = new WritePace()
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** A write that begins so long after the last one ended, and whether it is alone. */
function write (afterMs: number, tookMs = 0.02): boolean {
  nowMs += afterMs
  const isAlone = pace.begin()
  nowMs += tookMs
  pace.ended()
  return isAlone
}

describe('WritePace', () => {
  it('takes a write for a single one when some before it were', () => {
    expect(Array.from({ length: 6 }, () => write(0.1))).toEqual([false, false, false, false, true, true])
  })

  it('starts anew when two come together, however long each takes', () => {
    for (let count = 0; count < 10; count += 1) write(0.1)
    expect([write(0.1), write(0.001), write(0.1)]).toEqual([true, false, false])
  })

  it('never takes one of a bunch for a single one', () => {
    for (let count = 0; count < 10; count += 1) {
      expect([write(1), write(0.002), write(0.002)]).toEqual([false, false, false])
    }
  })
})
