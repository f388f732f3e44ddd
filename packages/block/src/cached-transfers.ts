import { readVectorNow, writeVectorNow, writeVectorSoon } from '@pcikit/native'
import type { Waiting } from '@pcikit/native'
import { CacheProbe } from './cache-probe.js'
import type { TransferVector } from './transfer-vector.js'
import { WritePace } from './write-pace.js'

/** The longest transfer that is copied from or to the page cache at once: a longer one would hold up everybody else. */
const BYTES_MAX = 262_144

/** The rest of a page that is written in part may have to be read first. */
const PAGE_BYTES = 4096

const EBUSY = 16
const ENOSYS = 38
const EOPNOTSUPP = 95

/** How far transfers are done without asking the kernel's threads. */
export interface CachePolicy {
  /** Of reads and writes on the calling thread. */
  readonly waiting: Waiting
  /** Whether a thread beside this one writes single pages where nobody can tell whether that waits, as on ext4. */
  readonly writesSoon: boolean
}

/** What is over when the call returns, because it is in the page cache. */
export class CachedTransfers {
  readonly #fd: number
  readonly #policy: CachePolicy
  readonly #readProbe = new CacheProbe()
  readonly #writeProbe = new CacheProbe()
  readonly #soonProbe = new CacheProbe()
  readonly #pace = new WritePace()

  constructor (fd: number, policy: CachePolicy) {
    this.#fd = fd
    this.#policy = policy
  }

  /** Reads what the page cache has. True when that was everything. */
  read ({ buffers, offsets, lengths, count }: TransferVector, position: number, byteLength: number): boolean {
    if (byteLength > BYTES_MAX || !this.#readProbe.shouldTry()) return false
    const { waiting } = this.#policy
    const result = readVectorNow(this.#fd, buffers, offsets, lengths, count, position, waiting)
    return note(this.#readProbe, result, byteLength)
  }

  /** Writes what it takes. True when that was everything; a promise of the bytes written where it takes longer. */
  write (vector: TransferVector, position: number, byteLength: number): boolean | Promise<number> {
    if (byteLength > BYTES_MAX) return false
    if (!this.#writeProbe.shouldTry()) return this.#writeSoon(vector, position, byteLength)
    const { buffers, offsets, lengths, count } = vector
    const { waiting } = this.#policy
    const result = writeVectorNow(this.#fd, buffers, offsets, lengths, count, position, waiting)
    return note(this.#writeProbe, result, byteLength)
  }

  /** Many at a time are over sooner by way of the kernel's threads, which get all of them at once. */
  #writeSoon (vector: TransferVector, position: number, byteLength: number): boolean | Promise<number> {
    if (!this.#policy.writesSoon || this.#writeProbe.isSupported || !this.#pace.begin()) return false
    if (position % PAGE_BYTES !== 0 || byteLength % PAGE_BYTES !== 0 || !this.#soonProbe.shouldTry()) return false
    const { buffers, offsets, lengths, count } = vector
    const result = writeVectorSoon(this.#fd, buffers, offsets, lengths, count, position)
    this.#pace.ended()
    if (typeof result === 'number') return result !== -EBUSY && note(this.#soonProbe, result, byteLength)
    this.#soonProbe.miss()
    return result
  }
}

function note (probe: CacheProbe, result: number, byteLength: number): boolean {
  if (result === byteLength) probe.hit()
  else if (result === -EOPNOTSUPP || result === -ENOSYS) probe.unsupported()
  else probe.miss()
  return result === byteLength
}
