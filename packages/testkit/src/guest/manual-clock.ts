/** What is replaced, of the global object and of `Date`. */
interface Timekeepers {
  readonly setTimeout: typeof setTimeout
  readonly clearTimeout: typeof clearTimeout
  readonly setInterval: typeof setInterval
  readonly clearInterval: typeof clearInterval
  readonly dateNow: () => number
}

/** Turns of the event loop that whatever a timer set off has to end: sockets, files, other immediates. */
const SETTLING_TURNS = 20

/** A timer that nobody waits for but a test. */
class ManualTimer {
  readonly action: () => void
  readonly delayMs: number
  readonly repeats: boolean
  readonly #list: Set<ManualTimer>
  readonly #now: () => number
  dueMs = 0

  constructor (list: Set<ManualTimer>, now: () => number, action: () => void, delayMs: number, repeats: boolean) {
    this.#list = list
    this.#now = now
    this.action = action
    // As with Node: what is no number of milliseconds means one.
    this.delayMs = delayMs >= 1 && delayMs <= 0x7fff_ffff ? Math.trunc(delayMs) : 1
    this.repeats = repeats
    this.refresh()
  }

  refresh (): this {
    this.dueMs = this.#now() + this.delayMs
    // Timers for the same moment go off in the order in which they were set.
    this.#list.delete(this)
    this.#list.add(this)
    return this
  }

  ref (): this {
    return this
  }

  unref (): this {
    return this
  }

  hasRef (): boolean {
    return true
  }

  close (): this {
    this.#list.delete(this)
    return this
  }

  [Symbol.dispose] (): void {
    this.close()
  }
}

/**
 * Time that passes when a test says so. While it is installed `setTimeout`, `setInterval`, `performance.now` and
 * `Date.now` of this process go by it; immediates, microtasks, sockets and `node:timers/promises` go on as always, so
 * that a device can be driven meanwhile. Timers that are set already stay with the time of the world.
 */
export class ManualClock implements Disposable {
  readonly #real: Timekeepers
  readonly #timers = new Set<ManualTimer>()
  readonly #startMs: number
  readonly #startDateMs: number
  #passedMs = 0
  #isInstalled = true

  private constructor () {
    this.#real = {
      setTimeout: globalThis.setTimeout,
      clearTimeout: globalThis.clearTimeout,
      setInterval: globalThis.setInterval,
      clearInterval: globalThis.clearInterval,
      dateNow: Date.now
    }
    this.#startMs = performance.now()
    this.#startDateMs = Date.now()
    this.#replace()
  }

  /** Stops time. Dispose of the clock to have it back: there is one at a time. */
  static install (): ManualClock {
    return new ManualClock()
  }

  /** How much time has passed on this clock, in milliseconds. */
  get passedMs (): number {
    return this.#passedMs
  }

  /** How many timers wait to go off. */
  get timerCount (): number {
    return this.#timers.size
  }

  /**
   * Lets time pass, and each timer go off at its moment, those that others set too. Resolves when what they set off had
   * its turns.
   */
  async advance (milliseconds: number): Promise<void> {
    const endMs = this.#passedMs + milliseconds
    for (let timer = this.#next(endMs); timer !== undefined; timer = this.#next(endMs)) {
      this.#passedMs = Math.max(this.#passedMs, timer.dueMs)
      if (timer.repeats) timer.refresh()
      else timer.close()
      timer.action()
      await settle()
    }
    this.#passedMs = endMs
    await settle()
  }

  /** Gives time back its course. Timers of this clock never go off any more. */
  [Symbol.dispose] (): void {
    if (!this.#isInstalled) return
    this.#isInstalled = false
    this.#timers.clear()
    const { dateNow, ...globals } = this.#real
    Object.assign(globalThis, globals)
    // It is a method of what all such objects are made by; only this one was given another.
    Reflect.deleteProperty(performance, 'now')
    Date.now = dateNow
  }

  #next (endMs: number): ManualTimer | undefined {
    let next: ManualTimer | undefined
    for (const timer of this.#timers) {
      if (timer.dueMs <= endMs && (next === undefined || timer.dueMs < next.dueMs)) next = timer
    }
    return next
  }

  #replace (): void {
    const now = (): number => this.#passedMs
    const start = (repeats: boolean) => (action: (...words: unknown[]) => void, delayMs = 1, ...words: unknown[]) =>
      new ManualTimer(this.#timers, now, () => action(...words), delayMs, repeats)
    const stop = (clear: (timer: never) => void) => (timer: unknown): void => {
      if (timer instanceof ManualTimer) timer.close()
      else clear(timer as never)
    }
    Object.assign(globalThis, {
      setTimeout: start(false),
      setInterval: start(true),
      clearTimeout: stop(this.#real.clearTimeout),
      clearInterval: stop(this.#real.clearInterval)
    })
    performance.now = () => this.#startMs + this.#passedMs
    Date.now = () => Math.trunc(this.#startDateMs + this.#passedMs)
  }
}

async function settle (): Promise<void> {
  for (let turn = 0; turn < SETTLING_TURNS; turn++) await new Promise(resolve => setImmediate(resolve))
}
