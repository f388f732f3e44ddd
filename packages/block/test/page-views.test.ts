import { describe, expect, it } from 'vitest'
import { PAGE_BYTES, PageViews } from '../src/page-views.js'

describe('PageViews', () => {
  const memory = new ArrayBuffer(4 * PAGE_BYTES)

  it('gives a view of exactly the page', () => {
    const view = new PageViews().view(2, memory, 2 * PAGE_BYTES)
    expect([view.buffer, view.byteOffset, view.length]).toEqual([memory, 2 * PAGE_BYTES, PAGE_BYTES])
  })

  it('gives the same view again', () => {
    const views = new PageViews()
    expect(views.view(1, memory, PAGE_BYTES)).toBe(views.view(1, memory, PAGE_BYTES))
  })

  it('tells apart pages that share a slot', () => {
    const views = new PageViews()
    views.view(0, memory, 0)
    expect(views.view(8192, memory, PAGE_BYTES).byteOffset).toBe(PAGE_BYTES)
    expect(views.view(0, memory, 0).byteOffset).toBe(0)
  })

  it('keeps the views of pages that are used again and again', () => {
    const views = new PageViews()
    views.view(0, memory, 0)
    for (let time = 0; time < 32; time += 1) views.view(8192, memory, PAGE_BYTES)
    expect(views.view(8192, memory, PAGE_BYTES)).toBe(views.view(8192, memory, PAGE_BYTES))
  })

  it('knows the last page of the largest memory', () => {
    const views = new PageViews()
    expect(views.view(2 ** 32 - 1, memory, 0).byteOffset).toBe(0)
    expect(views.view(8191, memory, PAGE_BYTES).byteOffset).toBe(PAGE_BYTES)
  })
})
