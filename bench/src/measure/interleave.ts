/** Something to measure, under a name. What it returns is its figure, in whatever unit. */
export type Candidate<T> = readonly [name: string, measure: () => T | Promise<T>]

/**
 * Measures all candidates in turn, again and again, so that what happens to the machine happens to each of them. The
 * order is reversed from one repetition to the next. The first, which warms up, does not count.
 */
export async function interleave<T> (
  candidates: readonly Candidate<T>[],
  repetitions: number
): Promise<Map<string, T[]>> {
  const results = new Map<string, T[]>(candidates.map(([name]) => [name, []]))
  for (let repetition = 0; repetition <= repetitions; repetition++) {
    const order = repetition % 2 === 0 ? candidates : candidates.toReversed()
    for (const [name, measure] of order) {
      const value = await measure()
      if (repetition > 0) results.get(name)!.push(value)
    }
  }
  return results
}
