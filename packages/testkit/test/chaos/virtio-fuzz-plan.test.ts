import { describe, expect, it } from 'vitest'
import { ChaosRandom } from '../../src/chaos/chaos-random.js'
import { describeFuzzAction, VirtioFuzzPlan } from '../../src/chaos/virtio-fuzz-plan.js'
import type { FuzzAction } from '../../src/chaos/virtio-fuzz-plan.js'

const DATA = { iova: 0x10_0000, byteLength: 0x1_0000 }

function actionsOf (seed: number, count: number): FuzzAction[] {
  const plan = new VirtioFuzzPlan(new ChaosRandom(seed), { data: DATA, pages: [0, 8] })
  return Array.from({ length: count }, () => plan.next())
}

const chains = actionsOf(1, 5000).flatMap(action => action.kind === 'chains' ? action.chains : [])

describe('a plan', () => {
  it('is the same with the same seed, and another with another', () => {
    expect(actionsOf(3, 50)).toEqual(actionsOf(3, 50))
    expect(actionsOf(3, 50)).not.toEqual(actionsOf(4, 50))
  })

  it('does everything that there is to do', () => {
    const kinds = new Set(actionsOf(1, 5000).map(({ kind }) => kind))
    expect(kinds.size).toBe(14)
  })

  it('breaks one chain in eight, in every way there is', () => {
    const broken = chains.filter(({ flaw }) => flaw !== '')
    expect(broken.length / chains.length).toBeGreaterThan(0.08)
    expect(broken.length / chains.length).toBeLessThan(0.18)
    expect(new Set(broken.map(({ flaw }) => flaw)).size).toBe(9)
  })

  it('keeps all other chains in memory, with what is read before what is written', () => {
    const descriptors = chains.filter(({ flaw }) => flaw === '').map(chain => chain.descriptors)
    const isInside = ({ addr, len }: { addr: number, len: number }) =>
      addr >= DATA.iova && addr + len <= DATA.iova + DATA.byteLength
    expect(descriptors.every(each => each.every(isInside))).toBe(true)
    const directions = descriptors.map(each => each.map(({ flags }) => flags & 2))
    expect(directions.every(each => each.every((flag, at) => flag >= (each[at - 1] ?? 0)))).toBe(true)
  })

  it('never writes the status: resets do', () => {
    const registers = actionsOf(9, 20_000).flatMap(action => action.kind === 'register' ? [action] : [])
    expect(registers.length).toBeGreaterThan(100)
    expect(registers.filter(({ offset, width }) => offset <= 20 && offset + width > 20)).toEqual([])
  })

  it('tells of an action in a line', () => {
    const text = actionsOf(5, 200).map(describeFuzzAction)
    expect(text.every(line => line.length > 0 && !line.includes('\n'))).toBe(true)
    expect(text).toContainEqual(expect.stringMatching(/^[1-4] chains, with /))
  })
})
