/** From here on a factorial has 32 factors of two, so its lowest 32 bits are zero. */
const ZERO_FROM = 34

/** The lowest 32 bits of a factorial. It takes no time to speak of, whatever a guest asks for. */
export function factorial (value: number): number {
  if (value >= ZERO_FROM) return 0
  let product = 1
  for (let factor = 2; factor <= value; factor++) product = Math.imul(product, factor)
  return product >>> 0
}
