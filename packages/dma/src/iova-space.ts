import { Region } from './region.js'
import { RegionTree } from './region-tree.js'

/** Stands where no region was found yet. No address is inside. */
const NOWHERE = new Region(Infinity, 0, 1, undefined, 0)

/** All regions of a device. They never overlap. */
export class IovaSpace {
  readonly #tree: RegionTree
  #first: Region | undefined = undefined
  #last: Region = NOWHERE
  #regionCount = 0

  constructor (tree = new RegionTree()) {
    this.#tree = tree
  }

  get regionCount (): number {
    return this.#regionCount
  }

  /** The region that the address lies in. Devices tend to stay in a region, or to go on to the next. */
  find (iova: number): Region | undefined {
    const last = this.#last
    if (iova >= last.iova && iova < last.end) return last
    const next = last.next
    const found = next !== undefined && iova >= next.iova && iova < next.end ? next : this.#tree.floor(iova)
    if (found === undefined || iova >= found.end) return undefined
    this.#last = found
    return found
  }

  /** Whether any address of `[iova, end)` is in a region. */
  overlaps (iova: number, end: number): boolean {
    const floor = this.#tree.floor(iova)
    if (floor !== undefined && floor.end > iova) return true
    const next = floor === undefined ? this.#first : floor.next
    return next !== undefined && next.iova < end
  }

  /** Adds a region. It must not overlap another. */
  insert (region: Region): void {
    const previous = this.#tree.floor(region.iova)
    const next = previous === undefined ? this.#first : previous.next
    this.#tree.insert(region)
    region.previous = previous
    region.next = next
    if (previous === undefined) this.#first = region
    else previous.next = region
    if (next !== undefined) next.previous = region
    this.#regionCount += 1
  }

  /** The regions inside `[iova, end)`, in order. Undefined if the range holds only a part of one. */
  inside (iova: number, end: number): Region[] | undefined {
    const floor = this.#tree.floor(iova)
    if (floor !== undefined && floor.iova < iova && floor.end > iova) return undefined
    const regions: Region[] = []
    let region = floor?.iova === iova ? floor : floor === undefined ? this.#first : floor.next
    for (; region !== undefined && region.iova < end; region = region.next) {
      if (region.end > end) return undefined
      regions.push(region)
    }
    return regions
  }

  /** Removes a region that is in the space. */
  remove (region: Region): void {
    this.#tree.remove(region)
    const { previous, next } = region
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next !== undefined) next.previous = previous
    region.previous = undefined
    region.next = undefined
    if (this.#last === region) this.#last = NOWHERE
    this.#regionCount -= 1
  }
}
