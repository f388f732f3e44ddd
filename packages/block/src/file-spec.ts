import { PcikitError } from '@pcikit/core'

/** Which file a back end uses, and how. */
export interface FileSpec {
  readonly path: string
  readonly readOnly: boolean
}

/**
 * Reads `PATH[,readonly]`. A comma in the path is written twice, as for QEMU. Throws PCIKIT_BLOCK_SPEC_INVALID.
 */
export function parseFileSpec (argument: string): FileSpec {
  const [path = '', ...flags] = splitAtSingleCommas(argument)
  if (path === '') {
    throw new PcikitError('PCIKIT_BLOCK_SPEC_INVALID', 'The file back end needs a path: file:disk.img.')
  }
  const unknown = flags.find(flag => flag !== 'readonly')
  if (unknown !== undefined) {
    throw new PcikitError(
      'PCIKIT_BLOCK_SPEC_INVALID',
      `"file:${argument}" has the flag "${unknown}" after its path, and only "readonly" may stand there. If the comma ` +
        'is part of the path, write it twice.',
      { details: { path, flag: unknown } }
    )
  }
  return { path, readOnly: flags.length > 0 }
}

/** Splits at commas that stand alone; two in a row are one comma of the text. No path has a NUL. */
function splitAtSingleCommas (text: string): string[] {
  return text.replaceAll(',,', '\0').split(',').map(part => part.replaceAll('\0', ','))
}
