import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { closeDescriptor, createMemoryFile, Mapping } from '@pcikit/native'
import { onCore } from '../measure/processor.js'
import { atExit } from '../processes/at-exit.js'
import { pingWord, pongWord, SHARED_BYTES } from './ping-pong-layout.js'

const PARTNER = fileURLToPath(new URL('ping-pong-partner.js', import.meta.url))
const ROUNDS_PER_CLOCK = 256

/**
 * Two processes on two cores, a word of shared memory in each direction, and a copy of 4 KiB from a random place in
 * between: the floor under the latency of any device in another process.
 */
export class PingPong implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #mapping: Mapping
  readonly #words: Uint32Array
  readonly #forget: () => void
  #round = 0

  private constructor (child: ChildProcess, mapping: Mapping) {
    this.#child = child
    this.#mapping = mapping
    this.#words = new Uint32Array(mapping.window(0, SHARED_BYTES))
    this.#forget = atExit(() => void child.kill('SIGKILL'))
  }

  static async start (core: number | undefined): Promise<PingPong> {
    const descriptor = createMemoryFile('bench-ping-pong', SHARED_BYTES)
    const [program = '', ...words] = [...onCore(core), process.execPath, PARTNER]
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit', descriptor] })
    const mapping = Mapping.map(descriptor, 0, SHARED_BYTES, { read: true, write: true })
    closeDescriptor(descriptor)
    await once(child.stdout!, 'data')
    return new PingPong(child, mapping)
  }

  /** Plays for a while. Returns the microseconds of a round. */
  play (durationMs: number): number {
    // Wakes the partner.
    this.#playOne()
    const startedAtMs = performance.now()
    const endsAtMs = startedAtMs + durationMs
    let nowMs = startedAtMs
    let rounds = 0
    while (nowMs < endsAtMs) {
      for (let index = 0; index < ROUNDS_PER_CLOCK; index++) this.#playOne()
      rounds += ROUNDS_PER_CLOCK
      nowMs = performance.now()
    }
    return (nowMs - startedAtMs) * 1000 / rounds
  }

  async [Symbol.asyncDispose] (): Promise<void> {
    this.#child.kill('SIGTERM')
    await once(this.#child, 'close')
    this.#forget()
    this.#mapping.unmap()
  }

  #playOne (): void {
    const words = this.#words
    const round = this.#round = (this.#round + 1) >>> 0
    words[pingWord + 1] = Math.imul(round, 40_507) >>> 0
    Atomics.store(words, pingWord, round)
    while (Atomics.load(words, pongWord) !== round);
  }
}
