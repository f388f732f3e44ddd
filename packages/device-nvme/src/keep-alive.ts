/** The granularity of the Keep Alive Timer: KAS is in units of 100 ms. [NVMe-Base] "Identify Controller". */
export const KEEP_ALIVE_GRANULARITY_MS = 1000

/** Watches that the host is still there, when it asked for that. [NVMe-Base] "Keep Alive". */
export class KeepAlive {
  readonly #onTimeout: () => void
  #timeoutMs = 0
  #timer: NodeJS.Timeout | undefined = undefined

  constructor (onTimeout: () => void) {
    this.#onTimeout = onTimeout
  }

  /** KATO: 0 stops it. Rounded up to the granularity. */
  start (timeoutMs: number): void {
    this.stop()
    if (timeoutMs === 0) return
    this.#timeoutMs = Math.ceil(timeoutMs / KEEP_ALIVE_GRANULARITY_MS) * KEEP_ALIVE_GRANULARITY_MS
    this.#arm()
  }

  /** The host sent a Keep Alive command. */
  restart (): void {
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#arm()
  }

  stop (): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #arm (): void {
    // Timers of Node.js end at 2^31 - 1 ms.
    this.#timer = setTimeout(this.#onTimeout, Math.min(this.#timeoutMs, 0x7fff_ffff))
    this.#timer.unref()
  }
}
