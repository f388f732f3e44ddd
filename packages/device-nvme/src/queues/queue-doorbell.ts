/** What is kept of a doorbell while the code of its controller is exchanged. */
export interface DoorbellState {
  readonly value: number
  readonly isShadowed: boolean
}

/** The doorbell of one queue, wherever the host rings it, and what is known of how it does. */
export class QueueDoorbell {
  /** 2y is the tail of submission queue y, 2y + 1 the head of completion queue y. */
  readonly number: number
  /** What it was in memory when it was looked at last. */
  value = 0
  /** It is looked at in every scan of the poller, which saw it rung in this turn last. */
  isBusy = false
  rungInTurn = 0
  /** The host rings it in the shadow buffer. */
  isShadowed = false
  /** What the host was told last to ring after. */
  eventIndex = 0
  /** The shadow buffer is behind messages, and one is under way. */
  isAsking = false
  /** Another one is to follow. */
  isAskDue = false

  constructor (number: number) {
    this.number = number
  }

  save (): DoorbellState {
    return { value: this.value, isShadowed: this.isShadowed }
  }

  restore ({ value, isShadowed }: DoorbellState): void {
    this.value = value
    this.isShadowed = isShadowed
  }
}
