import { PcikitError } from '@pcikit/core'

/** The binary units, in the order of their size. */
const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** A number, perhaps with decimals, then a unit: `1GiB`, `1.5 GiB`, `1G`. */
const SIZE = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])(i?b)?|bytes?|b)?$/i

/**
 * Reads a size as people write it and returns bytes: `1073741824`, `1GiB`, `1.5GiB`, `512 KiB`. `1G` is 1 GiB, as it is
 * for QEMU and truncate(1). `GB` means 10^9 to some and 2^30 to others, so it is refused. Throws
 * PCIKIT_BLOCK_SPEC_INVALID.
 */
export function parseSize (text: string): number {
  const match = SIZE.exec(text.trim())
  if (match === null) {
    throw invalidSize(text, 'is not a size. Write bytes, or a number and KiB, MiB, GiB or TiB, such as 1GiB')
  }
  const [, digits, letter = '', suffix = ''] = match
  if (suffix.toLowerCase() === 'b') {
    const unit = letter.toUpperCase()
    throw invalidSize(text, `could be a power of 10 or of 2. Write ${unit}iB for the power of 2, or plain bytes`)
  }
  const bytes = Number(digits) * 1024 ** ' kmgtp'.indexOf(letter.toLowerCase() || ' ')
  if (!Number.isInteger(bytes)) throw invalidSize(text, 'is not a whole number of bytes')
  if (bytes === 0) throw invalidSize(text, 'is no size at all. Give at least one block')
  if (!Number.isSafeInteger(bytes)) throw invalidSize(text, 'is too large. Sizes end at 8 PiB')
  return bytes
}

/** Writes a size as people read it: in the largest unit that makes it a whole number, `1 GiB`, `1000 bytes`. */
export function formatSize (bytes: number): string {
  let value = bytes
  let unit = 0
  while (value !== 0 && value % 1024 === 0 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${value} ${UNITS[unit]}`
}

/** How many blocks a size is. Throws PCIKIT_BLOCK_SPEC_INVALID, with sizes that fit, unless it is whole blocks. */
export function blockCountOf (byteLength: number, blockSize: number): number {
  const blockCount = byteLength / blockSize
  if (Number.isSafeInteger(blockCount) && blockCount > 0) return blockCount
  const below = Math.floor(blockCount) * blockSize
  const above = below + blockSize
  const near = below > 0 ? `${below} or ${above}` : `${above}`
  throw new PcikitError(
    'PCIKIT_BLOCK_SPEC_INVALID',
    `A size of ${byteLength} bytes is not whole blocks of ${blockSize} bytes. Give ${near} bytes.`,
    { details: { byteLength, blockSize } }
  )
}

function invalidSize (text: string, why: string): PcikitError {
  return new PcikitError('PCIKIT_BLOCK_SPEC_INVALID', `"${text}" ${why}.`, { details: { size: text } })
}
