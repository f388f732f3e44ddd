/** What the disk of a guest is on. */
export type Storage = 'memory' | 'file' | 'null'

/** What all parts of the suite go by. */
export interface SuiteOptions {
  /** How often each candidate is measured; in each guest, where there are several. */
  readonly repetitions: number
  /** How long each measurement takes, in milliseconds. */
  readonly sliceMs: number
  /** Everything there is, in place of what is worth waiting for. */
  readonly isFull: boolean
  /** What a guest's disks are on: a file in memory, a file on a disk in the page cache, or nothing. */
  readonly storages: readonly Storage[]
  /** How many processors a guest has, and jobs in it, one run for each. */
  readonly guestCpus: readonly number[]
  /** How many guests are booted for each of these, one after the other: the same programs differ between guests. */
  readonly guests: number
}
