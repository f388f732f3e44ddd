import { seededRandom } from '../guest/pattern.js'

/** Random decisions that a seed replays. Each part of a run has its own generator, so that none disturbs another. */
export class ChaosRandom {
  readonly #next: () => number

  constructor (seed: number) {
    this.#next = seededRandom(seed)
  }

  /** An integer from 0 up to, and without, `limit`. */
  below (limit: number): number {
    return Math.floor(this.#next() * limit)
  }

  /** An integer from `low` to `high`, both possible. */
  between (low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  /** True with this probability. */
  chance (probability: number): boolean {
    return this.#next() < probability
  }

  /** One of the choices. Throws where there are none. */
  pick<T> (choices: readonly T[]): T {
    if (choices.length === 0) throw new RangeError('There is nothing to pick from.')
    return choices[this.below(choices.length)]!
  }

  /** One of the choices, each as likely as its weight among all weights. */
  weigh<T> (choices: readonly (readonly [choice: T, weight: number])[]): T {
    const total = choices.reduce((sum, [, weight]) => sum + weight, 0)
    let at = this.#next() * total
    for (const [choice, weight] of choices) {
      at -= weight
      if (at < 0) return choice
    }
    return this.pick(choices)[0]
  }

  /** Another generator, seeded by this one. */
  fork (): ChaosRandom {
    return new ChaosRandom(this.below(0x1_0000_0000))
  }
}
