/** How far back a message shows what was done. The error has all of it. */
const SHOWN_ACTIONS = 40

/** A device did not stand what the stress client did to it. */
export class ChaosError extends Error {
  readonly seed: number
  /** Actions so far, the one in which it failed included. */
  readonly actionCount: number
  /** All of them, a line each. */
  readonly log: readonly string[]

  constructor (seed: number, log: readonly string[], cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const shown = log.slice(-SHOWN_ACTIONS).join('\n')
    super(`${why}\nSeed ${seed}, after ${log.length} actions. The last of them:\n${shown}`, { cause })
    this.name = 'ChaosError'
    this.seed = seed
    this.actionCount = log.length
    this.log = log
  }
}
