import { addon } from './load-addon.js'

/** What can be forbidden for a memory file, for ever. Source: Linux manual, fcntl_sealing(2). */
export const Seal = {
  /** No more seals. */
  SEAL: 0x1,
  SHRINK: 0x2,
  GROW: 0x4,
  WRITE: 0x8,
  /** No new writable mapping; those there are stay. */
  FUTURE_WRITE: 0x10
} as const
/** A seal, or several joined with `|`. */
export type Seal = number

/** How a memory file is made. */
export interface MemoryFileOptions {
  /** Seals the size: nobody can then make the file shorter under a mapping. */
  readonly seal?: boolean
}

/** A file in memory, which can be sealed, in no folder; `name` shows in /proc. Returns its descriptor. */
export function createMemoryFile (name: string, size: number, options: MemoryFileOptions = {}): number {
  return addon().createMemoryFile(name, size, options.seal === true ? Seal.SHRINK | Seal.GROW : 0)
}

/** Adds seals to a memory file. Throws a system error: `EPERM` when sealed against it, `EBUSY`, `EINVAL`. */
export function addSeals (fd: number, seals: Seal): void {
  addon().addSeals(fd, seals)
}

/** The seals of a memory file. Throws a system error `EINVAL` for a file that has none. */
export function getSeals (fd: number): Seal {
  return addon().getSeals(fd)
}
