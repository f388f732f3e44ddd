import { describe, expect, it } from 'vitest'
import { BlockModel } from '../../src/chaos/block-model.js'
import { ChaosRandom } from '../../src/chaos/chaos-random.js'

const run = { slba: 2, blockCount: 2 }
const written = new Uint8Array(8).fill(5)

describe('BlockModel', () => {
  it('finds a byte that is not what was written', () => {
    const model = new BlockModel(8, 4)
    model.written(run, written)
    expect(model.read(run, Uint8Array.of(5, 5, 5, 5, 5, 6, 5, 5))).toBe('block 3 has 6 at 1, where 5 was written')
  })

  it('accepts what was written', () => {
    const model = new BlockModel(8, 4)
    model.written(run, written)
    expect(model.read(run, written)).toBeUndefined()
  })

  it('accepts anything after a write that may have failed, but only once', () => {
    const model = new BlockModel(8, 4)
    model.written(run, written)
    model.forget(run)
    expect(model.known(run)).toBeUndefined()
    expect(model.read(run, new Uint8Array(8).fill(9))).toBeUndefined()
    expect(model.known(run)).toEqual(new Uint8Array(8).fill(9))
    expect(model.read(run, written)).toBe('block 2 has 5 at 0, where 9 was written')
  })

  it('gives no block to two commands', () => {
    const model = new BlockModel(64, 4)
    const random = new ChaosRandom(1)
    const blocks = Array.from({ length: 12 }, () => model.take(random, 3)).flatMap(({ slba, blockCount }) =>
      Array.from({ length: blockCount }, (_, at) => slba + at)
    )
    expect(new Set(blocks).size).toBe(blocks.length)
  })

  it('gives a block again once it was released', () => {
    const model = new BlockModel(1, 4)
    const random = new ChaosRandom(1)
    model.release(model.take(random, 1))
    expect(model.take(random, 1)).toEqual({ slba: 0, blockCount: 1 })
  })
})
