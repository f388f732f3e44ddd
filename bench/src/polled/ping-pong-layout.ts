export const PAGE_BYTES = 4096
/** Pages that are copied from. */
export const PLACES = 65_536
/** Two pages of words and the copy's target, and those that are copied from. */
export const SHARED_BYTES = (2 + PLACES) * PAGE_BYTES
/** The number of the round; behind it, which page is to be copied. */
export const pingWord = 0
/** In a cache line of its own. */
export const pongWord = 64
