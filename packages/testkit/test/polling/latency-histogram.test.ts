import { describe, expect, it } from 'vitest'
import { LatencyHistogram } from '../../src/polling/latency-histogram.js'

describe('LatencyHistogram', () => {
  it('has no percentiles while it is empty', () => {
    expect(new LatencyHistogram().percentile(0.5)).toBeNaN()
  })

  it.each([0, 1, 63, 64, 65, 1000, 123_456, 1_000_000_007])('tells %i ns within 3 %%', nanoseconds => {
    const histogram = new LatencyHistogram()
    histogram.add(nanoseconds / 1e6)
    expect(Math.abs(histogram.percentile(1) * 1000 - nanoseconds)).toBeLessThanOrEqual(nanoseconds * 0.03)
  })

  it('takes what is longer than its longest time for that', () => {
    const histogram = new LatencyHistogram()
    histogram.add(10_000)
    expect(histogram.percentile(0.5)).toBeGreaterThan(2e6)
  })

  it('finds the time below which a share of all are', () => {
    const histogram = new LatencyHistogram()
    for (let index = 0; index < 99; index++) histogram.add(0.001)
    histogram.add(1)
    expect(histogram.percentile(0.5)).toBeCloseTo(1, 1)
    expect(histogram.percentile(0.99)).toBeCloseTo(1, 1)
    expect(histogram.percentile(0.999)).toBeGreaterThan(970)
  })

  it('takes the times of another one', () => {
    const [one, other] = [new LatencyHistogram(), new LatencyHistogram()]
    one.add(0.001)
    other.add(0.002)
    one.merge(other)
    expect(one.count).toBe(2)
    expect(one.percentile(1)).toBeCloseTo(2, 1)
  })
})
