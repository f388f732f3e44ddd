import { isPcikitError } from '@pcikit/core'
import type { EventRecord, SwappableDevice } from '@pcikit/core/host'
import { describeError } from '../exit-code.js'
import type { Build } from './plugin-workshop.js'

/** Where a session tells what it does. */
export interface SessionOutput {
  /** What went as it should. */
  readonly say: (text: string) => void
  readonly complain: (text: string) => void
}

/** Puts every build of a plugin into its device, the latest one first of all, and tells what became of it. */
export class DevSession {
  readonly #device: SwappableDevice
  readonly #output: SessionOutput
  /** What is to be swapped in next. */
  #next: Build | undefined = undefined
  /** What waits for the client to go. */
  #waiting: Build | undefined = undefined
  #isBusy = false

  constructor (device: SwappableDevice, record: EventRecord, output: SessionOutput) {
    this.#device = device
    this.#output = output
    record.subscribe(entry => {
      if (entry.device !== device.name || entry.type !== 'client' || entry.connected) return
      if (this.#waiting !== undefined) this.take(this.#waiting)
    })
  }

  /** Swaps a build in, after the one that is being swapped in. A later one takes its place until then. */
  take (build: Build): void {
    this.#next = build
    this.#waiting = undefined
    if (this.#isBusy) return
    this.#isBusy = true
    void this.#work()
  }

  async #work (): Promise<void> {
    while (this.#next !== undefined) {
      const build = this.#next
      this.#next = undefined
      await this.#swap(build)
    }
    this.#isBusy = false
  }

  async #swap (build: Build): Promise<void> {
    const { changed, outcome } = build
    const what = changed.length === 0 ? 'The source changed' : `${changed.join(', ')} changed`
    const { say, complain } = this.#output
    if ('failure' in outcome) {
      complain(`${what}, and the old code goes on: ${describeError(outcome.failure)}\n`)
      return
    }
    try {
      const { state, reason, durationMs } = await this.#device.swap(outcome.plugin)
      const became = state === 'carried' ? 'state carried' : `device reset: ${reason}`
      say(`${what}: swapped in ${durationMs.toFixed(1)} ms, ${became}\n`)
    } catch (error) {
      complain(`${what}, and was not swapped in: ${describeError(error)}\n`)
      if (!isPcikitError(error, 'PCIKIT_SWAP_SHAPE_DIFFERS')) return
      this.#waiting = build
      say('It is swapped in when the device is detached.\n')
    }
  }
}
