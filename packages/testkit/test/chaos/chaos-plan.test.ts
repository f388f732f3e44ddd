import { describe, expect, it } from 'vitest'
import { describeAction } from '../../src/chaos/chaos-action.js'
import { ChaosPlan } from '../../src/chaos/chaos-plan.js'
import type { ChaosPlanOptions } from '../../src/chaos/chaos-plan.js'

const options: ChaosPlanOptions = {
  seed: 7,
  areaPages: [16, 64],
  placeCount: 4,
  resets: ['a reset', 'another'],
  bars: [0],
  byMessage: true
}

function actions (count: number, changes: Partial<ChaosPlanOptions> = {}) {
  const plan = new ChaosPlan({ ...options, ...changes })
  return Array.from({ length: count }, () => plan.next())
}

describe('ChaosPlan', () => {
  it('makes the same actions of the same seed', () => {
    expect(actions(500)).toEqual(actions(500))
  })

  it('makes other actions of another seed', () => {
    expect(actions(20, { seed: 8 })).not.toEqual(actions(20))
  })

  it('makes every kind of action', () => {
    const kinds = new Set(actions(500).map(action => action.kind))
    expect([...kinds].sort()).toEqual([
      'bus-master',
      'cutting-unmap',
      'double-map',
      'empty-unmap',
      'layout',
      'replace-all',
      'reset',
      'rest',
      'size-bar'
    ])
  })

  it('covers each area without gaps, whatever happened before', () => {
    const plan = new ChaosPlan(options)
    const covered = Array.from({ length: 300 }, () => {
      plan.next()
      return plan.layouts.map(layout =>
        layout.reduce((end, { page, pageCount }) => page === end ? end + pageCount : -1, 0)
      )
    })
    expect(new Set(covered.map(String))).toEqual(new Set(['16,64']))
  })

  it('says in each layout what the plan knows from then on', () => {
    const plan = new ChaosPlan(options)
    const told = Array.from({ length: 200 }, () => {
      const action = plan.next()
      return action.kind === 'layout' && action.layout !== plan.layouts[action.area]
    })
    expect(told).not.toContain(true)
  })

  it('moves memory only while it is unmapped', () => {
    const hasty = actions(2000).filter(action => action.kind === 'layout' && action.isPipelined)
    expect(hasty.length).toBeGreaterThan(0)
    expect(hasty.filter(action => action.kind === 'layout' && action.movedPages > 0)).toEqual([])
  })

  it('cuts regions where they do not end', () => {
    const plan = new ChaosPlan(options)
    const edges = Array.from({ length: 2000 }, () => {
      const action = plan.next()
      return action.kind === 'cutting-unmap' && plan.layouts[action.area]!.some(({ page }) => page === action.page)
    })
    expect(edges).not.toContain(true)
  })

  it('shares everything where nothing is to go by message', () => {
    const pieces = actions(1000, { byMessage: false }).flatMap(action => action.kind === 'layout' ? action.layout : [])
    expect(pieces.length).toBeGreaterThan(0)
    expect(pieces.filter(({ shared }) => !shared)).toEqual([])
  })

  it('does without resets and BARs where there are none', () => {
    const kinds = actions(1000, { resets: [], bars: [] }).map(action => action.kind)
    expect(kinds).not.toContain('reset')
    expect(kinds).not.toContain('size-bar')
  })
})

describe('describeAction', () => {
  it('says what happens to an area', () => {
    const text = describeAction({
      kind: 'layout',
      area: 1,
      layout: [{ page: 0, pageCount: 3, place: 1, shared: true }, { page: 3, pageCount: 1, place: 0, shared: false }],
      movedPages: 3,
      unmap: 'pieces',
      order: 'down',
      awayTurns: 2,
      reset: 'a reset',
      isPipelined: false
    })
    expect(text).toBe(
      'area 1 goes (by pieces) for 2 turns and comes back down in 2 pieces, 3 pages elsewhere, 1 by message, ' +
        'with a reset in between: a reset'
    )
  })
})
