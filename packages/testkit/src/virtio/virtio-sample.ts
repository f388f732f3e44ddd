import type { GuestMemory } from '../guest/guest-memory.js'
import type { DriverChain, GuestBuffer } from './descriptor.js'
import type { UsedChain } from './driver-ring.js'
import type { SubmitChainOptions, Virtqueue } from './virtqueue.js'

/** A request that a device answers by itself, as tests use it that know nothing else of the device. */
export interface VirtioSample {
  /** What the device reads, if anything. */
  readonly readable?: Uint8Array
  /** Bytes that the device may write. */
  readonly writableBytes?: number
  /** Throws where the answer is wrong: the writable part, and how much of it the device says it wrote. */
  check(answer: Uint8Array, written: number): void
}

/** What the writable part of a request is full of before. */
const UNWRITTEN = 0xee
/** Nothing that a driver places has to be aligned. */
const ODD_OFFSET = 21

/** A request in guest memory. */
export class PlacedSample {
  readonly chain: DriverChain
  readonly #sample: VirtioSample
  readonly #memory: GuestMemory
  readonly #pages: readonly number[]

  constructor (memory: GuestMemory, sample: VirtioSample) {
    const { readable = new Uint8Array(0), writableBytes = 0 } = sample
    const pages = [memory.allocate(ODD_OFFSET + readable.length), memory.allocate(ODD_OFFSET + writableBytes)] as const
    memory.store(pages[0] + ODD_OFFSET, readable)
    memory.fill(pages[1] + ODD_OFFSET, writableBytes, UNWRITTEN)
    this.#memory = memory
    this.#sample = sample
    this.#pages = pages
    this.chain = { readable: bufferAt(pages[0], readable.length), writable: bufferAt(pages[1], writableBytes) }
  }

  /** Throws where the answer is wrong. */
  check ({ written }: UsedChain): void {
    this.#sample.check(this.#answer(), written)
  }

  /** Whether nothing was written. */
  get isUntouched (): boolean {
    return this.#answer().every(byte => byte === UNWRITTEN)
  }

  free (): void {
    for (const page of this.#pages) this.#memory.free(page)
  }

  #answer (): Uint8Array {
    const [buffer] = this.chain.writable
    return buffer === undefined ? new Uint8Array(0) : this.#memory.bytesAt(buffer.iova, buffer.byteLength)
  }
}

/** Sends a request and checks its answer. */
export async function sendSample (
  queue: Virtqueue,
  memory: GuestMemory,
  sample: VirtioSample,
  options: SubmitChainOptions = {}
): Promise<void> {
  const placed = new PlacedSample(memory, sample)
  try {
    placed.check(await queue.submit(placed.chain, options))
  } finally {
    placed.free()
  }
}

function bufferAt (page: number, byteLength: number): readonly GuestBuffer[] {
  return byteLength === 0 ? [] : [{ iova: page + ODD_OFFSET, byteLength }]
}
