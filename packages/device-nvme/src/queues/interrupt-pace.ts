/** How often it is tried whether a host has more to give out: so many interrupts apart at least, and at most. */
export const TRY_MIN = 8
export const TRY_MAX = 1024

/** How the host takes the completions of one queue, as far as interrupts are concerned. See InterruptModeration. */
export class InterruptPace {
  /** The host was interrupted and has consumed nothing since. */
  isTold = false
  /** Completions wait for their interrupt. */
  isHeld = false
  /** So many completions are worth an interrupt: as many as the host took together the last time. */
  wanted = 1
  /** For this once, twice as many are waited for, to see whether the host would give out more. */
  isTrying = false
  /** So many interrupts until that is tried again, and between the last two times. */
  untilTry = TRY_MIN
  tryInterval = TRY_MIN
  toldAtMs = 0
  /** Since when completions wait. */
  heldAtMs = 0
  /** When completions were published last. */
  publishedAtMs = 0
  /** How far apart runs of completions are, on average, without pauses. */
  gapMs = 0
}
