import { movedPageCount, recut, relocate, reshare, wholeArea } from './area-layout.js'
import type { AreaLayout } from './area-layout.js'
import type { ChaosAction } from './chaos-action.js'
import { ChaosRandom } from './chaos-random.js'

/** What a plan is made for. */
export interface ChaosPlanOptions {
  /** The same seed and the same other options make the same plan. */
  readonly seed: number
  /** The number of pages of each area. */
  readonly areaPages: readonly number[]
  /** In how many places the pages of an area can be. */
  readonly placeCount: number
  /** The resets that the device has, by name. */
  readonly resets: readonly string[]
  /** The BARs to size. */
  readonly bars: readonly number[]
  /** Whether memory may be left unshared, for the device to reach by message. */
  readonly byMessage: boolean
}

/** How often each kind of action is chosen. */
const WEIGHTS: readonly (readonly [ChaosAction['kind'], number])[] = [
  ['layout', 60],
  ['replace-all', 3],
  ['bus-master', 6],
  ['size-bar', 3],
  ['reset', 4],
  ['cutting-unmap', 4],
  ['double-map', 2],
  ['empty-unmap', 2],
  ['rest', 16]
]

/**
 * An endless sequence of actions that depends on nothing but its options: neither on time nor on what the device
 * answers. The number of the last action and the seed are all that it takes to come to the same point again.
 */
export class ChaosPlan {
  readonly #options: ChaosPlanOptions
  readonly #random: ChaosRandom
  readonly #layouts: AreaLayout[]

  constructor (options: ChaosPlanOptions) {
    this.#options = options
    this.#random = new ChaosRandom(options.seed)
    this.#layouts = options.areaPages.map(pageCount => wholeArea(pageCount))
  }

  /** How the areas are laid out once all actions so far were carried out. */
  get layouts (): readonly AreaLayout[] {
    return this.#layouts
  }

  /** The next action. */
  next (): ChaosAction {
    const random = this.#random
    switch (random.weigh(WEIGHTS)) {
      case 'layout':
        return this.#nextLayout()
      case 'replace-all': {
        this.#layouts.forEach((_, area) => this.#change(area))
        return { kind: 'replace-all', layouts: [...this.#layouts], awayTurns: random.below(4) }
      }
      case 'bus-master':
        return { kind: 'bus-master', offTurns: random.below(6) }
      case 'size-bar':
        return this.#options.bars.length === 0 ?
          this.#rest() :
          { kind: 'size-bar', bar: random.pick(this.#options.bars) }
      case 'reset':
        return this.#options.resets.length === 0 ?
          this.#rest() :
          { kind: 'reset', reset: random.pick(this.#options.resets) }
      case 'cutting-unmap':
        return this.#nextCuttingUnmap()
      case 'double-map': {
        const area = random.below(this.#layouts.length)
        return { kind: 'double-map', area, page: random.below(this.#options.areaPages[area]!) }
      }
      case 'empty-unmap':
        return { kind: 'empty-unmap', pageCount: 2 ** random.below(20) }
      case 'rest':
        return this.#rest()
    }
  }

  #rest (): ChaosAction {
    return { kind: 'rest', turns: this.#random.between(1, 12) }
  }

  #nextLayout (): ChaosAction {
    const random = this.#random
    const area = random.below(this.#layouts.length)
    const before = this.#layouts[area]!
    const layout = this.#change(area)
    const movedPages = movedPageCount(before, layout)
    const isPipelined = movedPages === 0 && random.chance(0.5)
    const { resets } = this.#options
    return {
      kind: 'layout',
      area,
      layout,
      movedPages,
      unmap: random.pick(['area', 'pieces', 'beyond'] as const),
      order: random.pick(['up', 'down'] as const),
      awayTurns: isPipelined || random.chance(0.5) ? 0 : random.between(1, 8),
      reset: !isPipelined && resets.length > 0 && random.chance(0.03) ? random.pick(resets) : undefined,
      isPipelined
    }
  }

  #change (area: number): AreaLayout {
    const random = this.#random
    const { placeCount, byMessage } = this.#options
    const before = this.#layouts[area]!
    const how = random.weigh<'recut' | 'relocate' | 'reshare'>([
      ['relocate', placeCount > 1 ? 6 : 0],
      ['recut', 4],
      ['reshare', byMessage ? 1 : 0]
    ])
    const after = how === 'recut' ?
      recut(before, random) :
      how === 'reshare' ?
      reshare(before, random) :
      relocate(before, random, placeCount)
    this.#layouts[area] = after
    return after
  }

  #nextCuttingUnmap (): ChaosAction {
    const random = this.#random
    const area = random.below(this.#layouts.length)
    const long = this.#layouts[area]!.filter(({ pageCount }) => pageCount > 1)
    if (long.length === 0) return this.#rest()
    const piece = random.pick(long)
    return { kind: 'cutting-unmap', area, page: piece.page + random.between(1, piece.pageCount - 1) }
  }
}
