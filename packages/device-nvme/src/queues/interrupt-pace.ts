/** How the host takes the completions of one queue, as far as interrupts are concerned. See InterruptModeration. */
export class InterruptPace {
  /** The host was interrupted and has consumed nothing since. */
  isTold = false
  /** Completions wait for their interrupt. */
  isHeld = false
  /** So many completions are worth an interrupt: as many as the host took together the last time. */
  wanted = 1
  toldAtMs = 0
  /** When completions were published last. */
  publishedAtMs = 0
  /** How far apart runs of completions are while the host has some to take, on average. */
  gapMs = 0
}
