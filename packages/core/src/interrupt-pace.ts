/** How often it is tried whether a driver has more to give out: so many interrupts apart at least, and at most. */
export const TRY_MIN = 8
export const TRY_MAX = 1024

/** How a driver takes what was published in one queue, as far as interrupts are concerned. See InterruptModeration. */
export class InterruptPace {
  /** The driver was interrupted and has consumed nothing since. */
  isTold = false
  /** Something waits for its interrupt. */
  isHeld = false
  /** So much is worth an interrupt: as much as the driver took together the last time. */
  wanted = 1
  /** For this once, twice as much is waited for, to see whether the driver would give out more. */
  isTrying = false
  /** So many interrupts until that is tried again, and between the last two times. */
  untilTry = TRY_MIN
  tryInterval = TRY_MIN
  toldAtMs = 0
  /** Since when it waits. */
  heldAtMs = 0
  /** When something was published last. */
  publishedAtMs = 0
  /** How far apart runs are that were published, on average, without pauses. */
  gapMs = 0
}
