import fc from 'fast-check'
import { expect, it } from 'vitest'
import { IovaSpace } from '../src/iova-space.js'
import { Region } from '../src/region.js'
import { RegionTree } from '../src/region-tree.js'

const PAGE = 4096
/** Few addresses, so that overlaps and cuts are frequent; enough for three levels of the tree. */
const PAGES = 20_000
const page = fc.integer({ min: 0, max: PAGES - 1 })
const size = fc.oneof({ weight: 20, arbitrary: fc.integer({ min: 1, max: 3 }) }, fc.integer({ min: 1, max: 300 }))
const kind = fc.constantFrom('insert', 'insert', 'insert', 'remove', 'clear')
const operation = fc.record({ kind, page, size })
/** Small nodes make a high tree of few regions. */
const nodeEntries = fc.constantFrom(4, 5, 8, 64)

/** One entry for each page, or none: slow and plain. */
class NaiveSpace {
  readonly owners = new Map<number, number>()
  readonly sizes = new Map<number, number>()

  overlaps (first: number, count: number): boolean {
    return this.#pages(first, count).some(at => this.owners.has(at))
  }

  insert (first: number, count: number): void {
    for (const at of this.#pages(first, count)) this.owners.set(at, first)
    this.sizes.set(first, count)
  }

  inside (first: number, count: number): number[] | undefined {
    const starts = [...new Set(this.#pages(first, count).flatMap(at => this.owners.get(at) ?? []))]
    const cuts = starts.some(start => start < first || start + this.sizes.get(start)! > first + count)
    return cuts ? undefined : starts
  }

  remove (start: number): void {
    for (const at of this.#pages(start, this.sizes.get(start)!)) this.owners.delete(at)
    this.sizes.delete(start)
  }

  #pages (first: number, count: number): number[] {
    return Array.from({ length: count }, (_, index) => first + index)
  }
}

it('IovaSpace answers as a table of pages does, whatever came and went', () => {
  const property = fc.property(
    nodeEntries,
    fc.array(operation, { maxLength: 4000, size: 'max' }),
    (entries, operations) => {
      const space = new IovaSpace(new RegionTree(entries))
      const model = new NaiveSpace()
      for (const { kind, page: first, size: pages } of operations) {
        const count = kind === 'clear' ? pages * 20 : pages
        const [iova, end] = [first * PAGE, (first + count) * PAGE]
        expect(space.find(iova + 1)?.iova).toBe(scale(model.owners.get(first)))
        expect(space.overlaps(iova, end)).toBe(model.overlaps(first, count))
        const inside = space.inside(iova, end)
        expect(inside?.map(region => region.iova)).toEqual(model.inside(first, count)?.map(start => start * PAGE))
        if (kind === 'insert' && !space.overlaps(iova, end)) {
          space.insert(new Region(iova, end - iova, 3, undefined, 0))
          model.insert(first, count)
        }
        if (kind !== 'insert') {
          for (const region of inside ?? []) {
            space.remove(region)
            model.remove(region.iova / PAGE)
          }
        }
        expect(space.regionCount).toBe(model.sizes.size)
      }
    }
  )
  const seed = process.env.SEED === undefined ? Date.now() : Number(process.env.SEED)
  fc.assert(property, { seed, interruptAfterTimeLimit: Number(process.env.FUZZ_MS ?? 10_000), numRuns: 100_000 })
})

function scale (start: number | undefined): number | undefined {
  return start === undefined ? undefined : start * PAGE
}
