import type { AreaLayout } from './area-layout.js'

/** How the regions of an area are taken away: in one request, one by one, or with a range that is larger. */
export type UnmapStyle = 'area' | 'pieces' | 'beyond'

/** One thing that happens to the device, with everything that was decided at random. */
export type ChaosAction =
  | LayoutAction
  | {
    /** Everything goes in one request, and comes back. */
    readonly kind: 'replace-all'
    readonly layouts: readonly AreaLayout[]
    readonly awayTurns: number
  }
  | { readonly kind: 'bus-master', readonly offTurns: number }
  | { readonly kind: 'size-bar', readonly bar: number }
  | { readonly kind: 'reset', readonly reset: string }
  /** A range that starts inside of a region, which the device must refuse. */
  | { readonly kind: 'cutting-unmap', readonly area: number, readonly page: number }
  /** A region over one that is there, which the device must refuse. */
  | { readonly kind: 'double-map', readonly area: number, readonly page: number }
  | { readonly kind: 'empty-unmap', readonly pageCount: number }
  | { readonly kind: 'rest', readonly turns: number }

/** An area goes and comes back, cut otherwise or somewhere else. */
export interface LayoutAction {
  readonly kind: 'layout'
  readonly area: number
  readonly layout: AreaLayout
  /** Pages that lie elsewhere than before. */
  readonly movedPages: number
  readonly unmap: UnmapStyle
  readonly order: 'up' | 'down'
  /** How many round trips the area stays away. */
  readonly awayTurns: number
  /** A reset in the middle. */
  readonly reset: string | undefined
  /** Without waiting for a reply in between, which only works when nothing moves. */
  readonly isPipelined: boolean
}

/** An action in a line. */
export function describeAction (action: ChaosAction): string {
  switch (action.kind) {
    case 'layout':
      return describeLayout(action)
    case 'replace-all': {
      const pieces = action.layouts.reduce((sum, layout) => sum + layout.length, 0)
      return `all memory goes for ${action.awayTurns} turns and comes back in ${pieces} pieces`
    }
    case 'bus-master':
      return `bus mastering is off for ${action.offTurns} turns`
    case 'size-bar':
      return `BAR ${action.bar} is sized`
    case 'reset':
      return `reset: ${action.reset}`
    case 'cutting-unmap':
      return `an unmap of area ${action.area} from page ${action.page} on, which cuts a region`
    case 'double-map':
      return `a map over page ${action.page} of area ${action.area}, which is there already`
    case 'empty-unmap':
      return `an unmap of ${action.pageCount} pages where nothing is`
    case 'rest':
      return `rest for ${action.turns} turns`
  }
}

function describeLayout (action: LayoutAction): string {
  const { area, layout, movedPages, unmap, order, awayTurns, reset, isPipelined } = action
  const byMessage = layout.filter(piece => !piece.shared).length
  return `area ${area} goes (by ${unmap}) for ${awayTurns} turns and comes back ${order} in ${layout.length} pieces` +
    (movedPages > 0 ? `, ${movedPages} pages elsewhere` : '') +
    (byMessage > 0 ? `, ${byMessage} by message` : '') +
    (reset === undefined ? '' : `, with a reset in between: ${reset}`) +
    (isPipelined ? ', without waiting' : '')
}
