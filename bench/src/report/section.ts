import type { Machine } from '../measure/processor.js'
import type { Spread } from '../measure/spread.js'

/** What a cell of a table holds. */
export type Cell = Spread | number | string

/** A table of figures. */
export interface Section {
  readonly title: string
  /** What was measured and how, in sentences. */
  readonly note: string
  /** The first column has the names of the rows. */
  readonly columns: readonly string[]
  readonly rows: readonly { readonly name: string, readonly cells: readonly Cell[] }[]
  /** The columns, by number from 0 on, that are drawn as bars, and the name of their axis. */
  readonly chart?: { readonly columns: readonly number[], readonly axis: string }
}

/** What one part of the suite came to. */
export interface PartResult {
  readonly part: string
  readonly takenAt: string
  readonly machine: Machine
  /** What repeats it. */
  readonly command: string
  readonly sections: readonly Section[]
}
