/** What repetitions of a measurement came to. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** Throws where there is nothing. */
export function spreadOf (values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('Nothing was measured.')
  const sorted = values.toSorted((left, right) => left - right)
  const half = Math.floor(sorted.length / 2)
  const median = sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
  return { median, min: sorted[0]!, max: sorted.at(-1)! }
}

/** The ratios of what was measured in the same repetition, so that what slows a repetition down slows both down. */
export function ratioOf (values: readonly number[], references: readonly number[]): Spread {
  return spreadOf(values.map((value, index) => value / references[index]!))
}
