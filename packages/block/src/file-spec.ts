import { PcikitError } from '@pcikit/core'

/** How data is moved that the page cache cannot give or take at once. */
export const FILE_IO = ['auto', 'io_uring', 'threads'] as const

/** `io_uring`, libuv's thread pool, or the first where the kernel allows it and the second elsewhere. */
export type FileIo = (typeof FILE_IO)[number]

/** Which file a back end uses, and how. */
export interface FileSpec {
  readonly path: string
  readonly readOnly: boolean
  /** `auto` when not given. */
  readonly io?: FileIo
}

/**
 * Reads `PATH[,readonly][,io=auto|io_uring|threads]`. A comma in the path is written twice, as for QEMU. Throws
 * PCIKIT_BLOCK_SPEC_INVALID.
 */
export function parseFileSpec (argument: string): FileSpec {
  const [path = '', ...flags] = splitAtSingleCommas(argument)
  if (path === '') {
    throw new PcikitError('PCIKIT_BLOCK_SPEC_INVALID', 'The file back end needs a path: file:disk.img.')
  }
  let readOnly = false
  let io: FileIo = 'auto'
  for (const flag of flags) {
    const chosen = FILE_IO.find(name => flag === `io=${name}`)
    if (chosen !== undefined) io = chosen
    else if (flag === 'readonly') readOnly = true
    else throw unknownFlag(argument, path, flag)
  }
  return { path, readOnly, io }
}

function unknownFlag (argument: string, path: string, flag: string): PcikitError {
  return new PcikitError(
    'PCIKIT_BLOCK_SPEC_INVALID',
    `"file:${argument}" has the flag "${flag}" after its path, and only "readonly" and ` +
      `${FILE_IO.map(name => `"io=${name}"`).join(', ')} may stand there. If the comma is part of the path, write it ` +
      'twice.',
    { details: { path, flag } }
  )
}

/** Splits at commas that stand alone; two in a row are one comma of the text. No path has a NUL. */
function splitAtSingleCommas (text: string): string[] {
  return text.replaceAll(',,', '\0').split(',').map(part => part.replaceAll('\0', ','))
}
