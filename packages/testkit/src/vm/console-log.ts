/** How much of the console goes into an error's message, in characters. */
const tailLength = 6000

/** After one of these nothing that a test waits for will come. */
const fatal = /Kernel panic - not syncing: .*/

interface Waiter {
  readonly pattern: RegExp
  readonly resolve: (match: RegExpExecArray) => void
  readonly reject: (error: Error) => void
}

function toRegExp (pattern: RegExp | string): RegExp {
  if (typeof pattern !== 'string') return new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''))
  return new RegExp(pattern.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
}

/**
 * What a guest wrote on its serial console, and waiting for something in it. Every wait goes on where the one before
 * found its match, so that waiting twice for the same text finds it twice.
 */
export class ConsoleLog {
  #text = ''
  #position = 0
  #waiter: Waiter | undefined
  #ended: Error | undefined

  /** Everything so far. */
  get text (): string {
    return this.#text
  }

  /** Adds output. */
  append (text: string): void {
    this.#text += text
    this.#check()
  }

  /** Says that nothing more will come; who waits gets the error. */
  end (reason: Error): void {
    this.#ended = reason
    this.#check()
  }

  /** The end of the console as an addition to an error's message. */
  tail (): string {
    const text = this.#text.slice(-tailLength).trim()
    return text === '' ? 'The guest wrote nothing on its console.' : `The end of the guest's console:\n${text}`
  }

  /**
   * Waits until the pattern is there. One wait at a time.
   *
   * @throws When it does not come within `timeoutMs` milliseconds, the guest's kernel panics, or the machine ends.
   */
  async waitFor (pattern: RegExp | string, timeoutMs: number): Promise<RegExpExecArray> {
    if (this.#waiter !== undefined) throw new Error('Something else waits for the console already.')
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<RegExpExecArray>((resolve, reject) => {
        this.#waiter = { pattern: toRegExp(pattern), resolve, reject }
        timer = setTimeout(() => {
          reject(new Error(`${String(pattern)} did not come within ${timeoutMs} ms. ${this.tail()}`))
        }, timeoutMs)
        this.#check()
      })
    } finally {
      clearTimeout(timer)
      this.#waiter = undefined
    }
  }

  #check (): void {
    if (this.#waiter === undefined) return
    const rest = this.#text.slice(this.#position)
    const match = this.#waiter.pattern.exec(rest)
    if (match !== null) {
      this.#position += match.index + match[0].length
      this.#waiter.resolve(match)
      return
    }
    const panic = fatal.exec(rest)
    if (panic !== null) this.#waiter.reject(new Error(`The guest's kernel stopped. ${this.tail()}`))
    else if (this.#ended !== undefined) this.#waiter.reject(new Error(`${this.#ended.message} ${this.tail()}`))
  }
}
