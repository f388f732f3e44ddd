import { describe, expect, it } from 'vitest'
import { ChaosRandom } from '../../src/chaos/chaos-random.js'

function draws<T> (count: number, draw: (random: ChaosRandom) => T, seed = 1): T[] {
  const random = new ChaosRandom(seed)
  return Array.from({ length: count }, () => draw(random))
}

describe('ChaosRandom', () => {
  it('repeats itself for the same seed', () => {
    expect(draws(100, random => random.below(1000))).toEqual(draws(100, random => random.below(1000)))
  })

  it('does something else for another seed', () => {
    expect(draws(10, random => random.below(1000), 2)).not.toEqual(draws(10, random => random.below(1000)))
  })

  it('gives every number between two, and no other', () => {
    expect([...new Set(draws(300, random => random.between(3, 6)))].sort()).toEqual([3, 4, 5, 6])
  })

  it('gives choices as often as their weights say', () => {
    const counts = draws(4000, random => random.weigh<'often' | 'seldom'>([['often', 3], ['seldom', 1]]))
    const often = counts.filter(choice => choice === 'often').length
    expect(often).toBeGreaterThan(2800)
    expect(often).toBeLessThan(3200)
  })

  it('never gives a choice without weight', () => {
    expect(draws(200, random => random.weigh<'yes' | 'no'>([['no', 0], ['yes', 1]]))).not.toContain('no')
  })

  it('has nothing to pick from nothing', () => {
    expect(() => new ChaosRandom(1).pick([])).toThrow(RangeError)
  })

  it('forks into a generator that does not change what it does itself', () => {
    const [parent, twin] = [new ChaosRandom(4), new ChaosRandom(4)]
    const fork = parent.fork()
    fork.below(10)
    twin.fork()
    expect(parent.below(1000)).toBe(twin.below(1000))
  })
})
