import { VirtioFeature } from './layouts.js'

/** How many feature bits there are. [virtio] "Feature Bits". */
export const FEATURE_BITS = 128

/** Which features a driver takes. */
export interface FeatureChoice {
  /** Only these, as far as they are offered. All that are offered unless given. */
  readonly only?: Iterable<number>
  /** Not these. */
  readonly without?: Iterable<number>
  /** These too, offered or not: for tests of what a device refuses. */
  readonly also?: Iterable<number>
}

/** What this driver can do nothing with: virtual functions and administration queues. */
const NEVER: readonly number[] = [VirtioFeature.SR_IOV, VirtioFeature.ADMIN_VQ]

/** What a driver accepts of what is offered. VERSION_1 is among `only` by itself. */
export function chooseFeatures (offered: ReadonlySet<number>, choice: FeatureChoice = {}): Set<number> {
  const only = choice.only === undefined ? undefined : new Set([...choice.only, VirtioFeature.VERSION_1])
  const without = new Set([...(choice.without ?? []), ...NEVER])
  const chosen = [...offered].filter(bit => !without.has(bit) && (only === undefined || only.has(bit)))
  return new Set([...chosen, ...(choice.also ?? [])])
}

/** The bits of a word of 32, as bits of the whole. */
export function bitsOfWord (word: number, select: number): number[] {
  return Array.from({ length: 32 }, (_, bit) => bit).filter(bit => (word >>> bit & 1) !== 0).map(bit =>
    32 * select + bit
  )
}

/** A word of 32 features. */
export function wordOfBits (features: ReadonlySet<number>, select: number): number {
  const bits = [...features].filter(bit => Math.floor(bit / 32) === select)
  return bits.reduce((word, bit) => (word | 1 << bit % 32) >>> 0, 0)
}
