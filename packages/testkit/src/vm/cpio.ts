/** A file in an archive. */
export interface ArchiveFile {
  /** Without a slash at its start. Folders on the way are made. */
  readonly path: string
  readonly data: Uint8Array | string
  /** Permission bits; 0o644 unless told. */
  readonly mode?: number
}

const regularFile = 0o100000
const folder = 0o040000
const trailerName = 'TRAILER!!!'

/** One entry: thirteen numbers in hexadecimal after the magic one, the name, the data, both padded to four bytes. */
function entry (inode: number, path: string, mode: number, data: Uint8Array): Uint8Array[] {
  const name = Buffer.from(`${path}\0`)
  const links = (mode & folder) === folder ? 2 : 1
  const numbers = [inode, mode, 0, 0, links, 0, data.byteLength, 0, 0, 0, 0, name.byteLength, 0]
  const header = Buffer.from(`070701${numbers.map(number => number.toString(16).padStart(8, '0')).join('')}`)
  return [header, name, padding(header.byteLength + name.byteLength), data, padding(data.byteLength)]
}

function padding (byteLength: number): Uint8Array {
  return new Uint8Array(-byteLength & 3)
}

/** The folders that a path lies in, outermost first. */
function foldersOf (path: string): string[] {
  const parts = path.split('/').slice(0, -1)
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
}

/**
 * Writes an archive in the "newc" format, which the Linux kernel unpacks as an initramfs. It may follow another one in
 * the same file; later files replace earlier ones.
 */
export function createCpio (files: readonly ArchiveFile[]): Uint8Array {
  const chunks: Uint8Array[] = []
  const folders = new Set(files.flatMap(file => foldersOf(file.path)))
  let inode = 1
  for (const path of folders) chunks.push(...entry(inode++, path, folder | 0o755, new Uint8Array(0)))
  for (const { path, data, mode = 0o644 } of files) {
    chunks.push(...entry(inode++, path, regularFile | mode, typeof data === 'string' ? Buffer.from(data) : data))
  }
  chunks.push(...entry(0, trailerName, 0, new Uint8Array(0)))
  return Buffer.concat(chunks)
}
