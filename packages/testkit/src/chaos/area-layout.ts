import type { ChaosRandom } from './chaos-random.js'

/** A region of an area: pages that follow one another, in one of the places that the area has. */
export interface ChaosPiece {
  /** The first page, counted from the start of the area. */
  readonly page: number
  readonly pageCount: number
  /** Which of the area's places it lies in. A page is at the same offset in each of them. */
  readonly place: number
  /** Whether the client shares the file. Otherwise the device has to ask by message. */
  readonly shared: boolean
}

/** How a whole area is cut into regions, in order and without gaps. */
export type AreaLayout = readonly ChaosPiece[]

interface PagePlace {
  readonly place: number
  readonly shared: boolean
}

/** An area in one region. */
export function wholeArea (pageCount: number, place = 0): AreaLayout {
  return [{ page: 0, pageCount, place, shared: true }]
}

/** The same pages where they are, in other regions. */
export function recut (layout: AreaLayout, random: ChaosRandom): AreaLayout {
  return assemble(pagesOf(layout), chooseCuts(layout, random))
}

/** The area cut anew, with all pages, or a run of them, in other places. */
export function relocate (layout: AreaLayout, random: ChaosRandom, placeCount: number): AreaLayout {
  const pages = pagesOf(layout)
  const first = random.chance(0.5) ? 0 : random.below(pages.length)
  const end = first === 0 ? pages.length : random.between(first + 1, pages.length)
  const step = random.between(1, placeCount - 1)
  const moved = pages.map(({ place, shared }, page) =>
    page >= first && page < end ? { place: (place + step) % placeCount, shared } : { place, shared }
  )
  return assemble(moved, chooseCuts(layout, random))
}

/** The same regions, with a run of pages shared no more, or shared again. */
export function reshare (layout: AreaLayout, random: ChaosRandom): AreaLayout {
  const pages = pagesOf(layout)
  if (pages.some(({ shared }) => !shared)) {
    return assemble(pages.map(({ place }) => ({ place, shared: true })), cutsOf(layout))
  }
  const first = random.below(pages.length)
  const end = random.between(first + 1, pages.length)
  const changed = pages.map(({ place }, page) => ({ place, shared: page < first || page >= end }))
  return assemble(changed, cutsOf(layout))
}

/** How many pages lie elsewhere than before. */
export function movedPageCount (before: AreaLayout, after: AreaLayout): number {
  const places = pagesOf(before)
  return pagesOf(after).filter(({ place }, page) => place !== places[page]?.place).length
}

/** The place of each page. */
export function placesOf (layout: AreaLayout): number[] {
  return pagesOf(layout).map(({ place }) => place)
}

function pagesOf (layout: AreaLayout): PagePlace[] {
  return layout.flatMap(({ pageCount, place, shared }) => Array.from({ length: pageCount }, () => ({ place, shared })))
}

function cutsOf (layout: AreaLayout): ReadonlySet<number> {
  return new Set(layout.map(({ page }) => page))
}

/** In one piece, in a few, as firmware does it, or page by page over a part, as an IOMMU has it. */
function chooseCuts (layout: AreaLayout, random: ChaosRandom): ReadonlySet<number> {
  const pageCount = layout.reduce((sum, piece) => sum + piece.pageCount, 0)
  const style = random.weigh<'whole' | 'few' | 'pages'>([['whole', 3], ['few', 5], ['pages', 2]])
  if (style === 'whole') return new Set()
  if (style === 'few') return new Set(Array.from({ length: random.between(1, 6) }, () => random.below(pageCount)))
  const first = random.below(pageCount)
  const count = Math.min(pageCount - first, random.between(8, 64))
  return new Set(Array.from({ length: count + 1 }, (_, page) => first + page))
}

/** Regions end at the cuts, and where the next page is somewhere else. */
function assemble (pages: readonly PagePlace[], cuts: ReadonlySet<number>): AreaLayout {
  const pieces: ChaosPiece[] = []
  pages.forEach(({ place, shared }, page) => {
    const last = pieces.at(-1)
    const goesOn = last !== undefined && !cuts.has(page) && last.place === place && last.shared === shared
    if (goesOn) pieces[pieces.length - 1] = { ...last, pageCount: last.pageCount + 1 }
    else pieces.push({ page, pageCount: 1, place, shared })
  })
  return pieces
}
