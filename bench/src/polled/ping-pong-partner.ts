// The other side of ping-pong.ts: copies a page for each round and answers. Sleeps while nobody plays.
import { setTimeout as delay } from 'node:timers/promises'
import { Mapping } from '@pcikit/native'
import { PAGE_BYTES, pingWord, PLACES, pongWord, SHARED_BYTES } from './ping-pong-layout.js'

const MEMORY_DESCRIPTOR = 3
const IDLE_SPINS = 200_000
const SLEEP_MS = 5

const buffer = Mapping.map(MEMORY_DESCRIPTOR, 0, SHARED_BYTES, { read: true, write: true }).window(0, SHARED_BYTES)
const words = new Uint32Array(buffer)
const bytes = new Uint8Array(buffer)
for (let page = 2; page < PLACES + 2; page++) bytes[page * PAGE_BYTES] = 1
process.on('SIGTERM', () => process.exit(0))
process.stdout.write('ready\n')

let last = 0

/** Answers until nothing has come for a while. */
function answer (): void {
  for (let idle = 0; idle < IDLE_SPINS; idle++) {
    const round = Atomics.load(words, pingWord)
    if (round === last) continue
    const from = (2 + words[pingWord + 1]! % PLACES) * PAGE_BYTES
    bytes.set(bytes.subarray(from, from + PAGE_BYTES), PAGE_BYTES)
    Atomics.store(words, pongWord, round)
    last = round
    idle = 0
  }
}

for (;;) {
  // The core is the device's while that is measured.
  if (Atomics.load(words, pingWord) !== last) answer()
  await delay(SLEEP_MS)
}
