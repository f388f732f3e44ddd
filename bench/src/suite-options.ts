/** What all parts of the suite go by. */
export interface SuiteOptions {
  /** How often each candidate is measured. */
  readonly repetitions: number
  /** How long each measurement takes, in milliseconds. */
  readonly sliceMs: number
  /** Everything there is, in place of what is worth waiting for. */
  readonly isFull: boolean
}
