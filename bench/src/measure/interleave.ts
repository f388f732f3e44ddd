/** Something to measure, under a name. What it returns is its figure, in whatever unit. */
export type Candidate<T> = readonly [name: string, measure: () => T | Promise<T>]

/** Repetitions in which the engine finds out what to compile. */
const WARM_UPS = 3

/**
 * Measures all candidates in turn, again and again, so that what happens to the machine happens to each of them. The
 * order is reversed from one repetition to the next. The first ones, which warm up, do not count.
 */
export async function interleave<T> (
  candidates: readonly Candidate<T>[],
  repetitions: number,
  warmUps = WARM_UPS
): Promise<Map<string, T[]>> {
  const results = new Map<string, T[]>(candidates.map(([name]) => [name, []]))
  for (let repetition = 0; repetition < warmUps + repetitions; repetition++) {
    for (const [name, measure] of inTurn(candidates, repetition)) {
      const value = await measure()
      if (repetition >= warmUps) results.get(name)!.push(value)
    }
  }
  return results
}

/** The order of a repetition: what was last in the one before is first. */
export function inTurn<T> (all: readonly T[], repetition: number): readonly T[] {
  return repetition % 2 === 0 ? all : all.toReversed()
}
