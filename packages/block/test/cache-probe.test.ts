import { describe, expect, it } from 'vitest'
import { CacheProbe } from '../src/cache-probe.js'

/** A probe after a number of misses in a row. */
function probeAfterMisses (count: number): CacheProbe {
  const probe = new CacheProbe()
  for (let miss = 0; miss < count; miss += 1) probe.miss()
  return probe
}

/** Which of the next reads ask the cache. */
function answers (probe: CacheProbe, count: number): boolean[] {
  return Array.from({ length: count }, () => probe.shouldTry())
}

describe('CacheProbe', () => {
  it('asks while the cache answers', () => {
    expect(answers(probeAfterMisses(0), 100)).not.toContain(false)
  })

  it('bears some misses', () => {
    expect(answers(probeAfterMisses(7), 100)).not.toContain(false)
  })

  it('asks now and then after many misses', () => {
    const asked = answers(probeAfterMisses(8), 96)
    expect(asked.filter(isAsked => isAsked)).toHaveLength(3)
  })

  it('asks always again after a hit', () => {
    const probe = probeAfterMisses(100)
    probe.hit()
    expect(answers(probe, 100)).not.toContain(false)
  })

  it('never asks a file system that cannot tell', () => {
    const probe = probeAfterMisses(0)
    probe.unsupported()
    probe.hit()
    expect(answers(probe, 100)).not.toContain(true)
  })
})
