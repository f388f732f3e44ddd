/** The device was reset, or a queue taken away, before a command completed. */
export class CommandAbandonedError extends Error {
  constructor (message: string) {
    super(message)
    this.name = 'CommandAbandonedError'
  }
}

interface Pending<Result> {
  readonly resolve: (result: Result) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout | undefined
}

/** Commands that a driver waits for, by the number under which the device gives them back. */
export class PendingCommands<Result> {
  readonly #pending = new Map<number, Pending<Result>>()
  readonly #waiting: (() => void)[] = []
  #abandoned: Error | undefined

  /** How many commands have not completed. */
  get count (): number {
    return this.#pending.size
  }

  has (id: number): boolean {
    return this.#pending.has(id)
  }

  /** Throws where everything was given up. */
  check (): void {
    if (this.#abandoned !== undefined) throw this.#abandoned
  }

  /** Resolves with what the command comes to. Rejects after `timeoutMs`, unless that is 0. */
  add (id: number, timeoutMs: number, describe: () => string): Promise<Result> {
    return new Promise((resolve, reject) => {
      const expire = (): void => reject(new Error(`${describe()} did not complete within ${timeoutMs} ms.`))
      const timer = timeoutMs === 0 ? undefined : setTimeout(expire, timeoutMs)
      this.#pending.set(id, { resolve, reject, timer })
    })
  }

  /** False where no such command is under way. */
  complete (id: number, result: Result): boolean {
    const pending = this.#pending.get(id)
    if (pending === undefined) return false
    this.#pending.delete(id)
    clearTimeout(pending.timer)
    pending.resolve(result)
    return true
  }

  /** Resolves at the next {@link wake}: there may be room for another command then. */
  room (): Promise<void> {
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  wake (): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  /** Gives up all commands, and takes no more. */
  abandon (error: Error): void {
    this.#abandoned ??= error
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer)
      pending.reject(error)
    }
    this.#pending.clear()
    this.wake()
  }
}
