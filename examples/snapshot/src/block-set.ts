/** Which blocks of a disk are in a set: a bit for each. */
export class BlockSet {
  readonly #bits: Uint8Array

  constructor (blockCount: number) {
    this.#bits = new Uint8Array(Math.ceil(blockCount / 8))
  }

  has (lba: number): boolean {
    return (this.#bits[Math.floor(lba / 8)]! >>> lba % 8 & 1) !== 0
  }

  /** Whole bytes at once: a guest may discard all of its disk. */
  add (lba: number, blockCount: number): void {
    const end = lba + blockCount
    const wholeStart = Math.ceil(lba / 8)
    const wholeEnd = Math.floor(end / 8)
    if (wholeStart < wholeEnd) this.#bits.fill(0xff, wholeStart, wholeEnd)
    for (let each = lba; each < Math.min(wholeStart * 8, end); each++) this.#addOne(each)
    for (let each = Math.max(wholeEnd * 8, lba); each < end; each++) this.#addOne(each)
  }

  /** How many blocks from `lba` on, `blockCount` at most, are all in the set or all outside of it. */
  runFrom (lba: number, blockCount: number): number {
    const isInside = this.has(lba)
    let run = 1
    while (run < blockCount && this.has(lba + run) === isInside) run++
    return run
  }

  #addOne (lba: number): void {
    const place = Math.floor(lba / 8)
    this.#bits[place] = this.#bits[place]! | 1 << lba % 8
  }
}
