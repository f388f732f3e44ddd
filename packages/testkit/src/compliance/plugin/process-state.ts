import { setTimeout as delay } from 'node:timers/promises'
import { countEach, findGrowth, findMore, readProcessUse } from '../../chaos/process-use.js'
import type { ProcessUse } from '../../chaos/process-use.js'

/** How often what is held is looked at until it is taken for a leak, and how long each look waits, in milliseconds. */
const LOOKS = 200
const LOOK_MS = 10

/** What this process holds: what keeps it running, who listens to it, its descriptors, and the files it maps. */
export class ProcessState {
  readonly #use: ProcessUse
  readonly #resources: ReadonlyMap<string, number>
  readonly #listeners: ReadonlyMap<string, number>

  private constructor () {
    this.#use = readProcessUse(process.pid)
    this.#resources = countEach(process.getActiveResourcesInfo())
    const events = process.eventNames().filter(event => typeof event === 'string')
    this.#listeners = new Map(events.map(event => [event, process.listenerCount(event)]))
  }

  /** What is held now. */
  static read (): ProcessState {
    return new ProcessState()
  }

  /** What the process holds now beyond this, a line each. What is just being closed is waited for. */
  async growth (): Promise<string[]> {
    let grown: string[] = []
    for (let look = 0; look < LOOKS; look++) {
      grown = this.#compare(ProcessState.read())
      if (grown.length === 0) break
      await delay(LOOK_MS)
    }
    return grown
  }

  /** Memory without a name behind it is not counted: it comes and goes with the garbage of JavaScript. */
  #compare (now: ProcessState): string[] {
    return [
      ...findMore('active resources', this.#resources, now.#resources),
      ...findMore('process listeners', this.#listeners, now.#listeners),
      ...findGrowth(this.#use, now.#use, Infinity)
    ]
  }
}
