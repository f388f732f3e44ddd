const COMMAND_BYTES = 64
const COMPLETION_BYTES = 16
const READ = 2
const QUEUE_ID = 1

/** Where the loop works. */
export interface BareLoopPlace {
  readonly guest: ArrayBuffer
  readonly storage: ArrayBuffer
  /** The guest's address of the first byte of its memory. */
  readonly iova: number
  readonly blockBytes: number
  /** Where its completions go, apart from those of the controller. */
  readonly completionsAt: number
}

/**
 * The least that a program in JavaScript can do for a command: load its fields through one view, copy once, and write a
 * completion with its phase. No check, no queue, no error. It is what a controller is measured against.
 */
export class BareLoop {
  readonly #place: BareLoopPlace
  readonly #view: DataView
  readonly #guest: Uint8Array
  readonly #words: Uint32Array
  readonly #storage: Uint8Array
  #head = 0
  #phase = 1

  constructor (place: BareLoopPlace) {
    this.#place = place
    this.#view = new DataView(place.guest)
    this.#guest = new Uint8Array(place.guest)
    this.#words = new Uint32Array(place.guest)
    this.#storage = new Uint8Array(place.storage)
  }

  /** Executes `count` commands of the ring at `submissionsAt`, of `entries` entries, from `head` on. */
  run (submissionsAt: number, head: number, entries: number, count: number): void {
    const view = this.#view
    const { iova, blockBytes, completionsAt } = this.#place
    for (let index = 0; index < count; index++) {
      const base = submissionsAt + head * COMMAND_BYTES
      const opcode = view.getUint8(base)
      const cid = view.getUint16(base + 2, true)
      const nsid = view.getUint32(base + 4, true)
      const prp1 = view.getUint32(base + 24, true) + view.getUint32(base + 28, true) * 0x1_0000_0000
      const prp2 = view.getUint32(base + 32, true) + view.getUint32(base + 36, true) * 0x1_0000_0000
      const lba = view.getUint32(base + 40, true) + view.getUint32(base + 44, true) * 0x1_0000_0000
      const byteLength = ((view.getUint32(base + 48, true) & 0xffff) + 1) * blockBytes
      if (nsid !== 1 || prp2 < 0) throw new Error('A command is not as it was written.')
      const guestAt = prp1 - iova
      const at = lba * blockBytes
      if (opcode === READ) this.#guest.set(this.#storage.subarray(at, at + byteLength), guestAt)
      else this.#storage.set(this.#guest.subarray(guestAt, guestAt + byteLength), at)
      if (++head === entries) head = 0
      this.#complete(completionsAt + this.#head * COMPLETION_BYTES, cid, head)
      if (++this.#head === entries) {
        this.#head = 0
        this.#phase ^= 1
      }
    }
  }

  /** Copies from storage to the guest's memory. */
  copy (storageAt: number, guestAt: number, byteLength: number): void {
    this.#guest.set(this.#storage.subarray(storageAt, storageAt + byteLength), guestAt)
  }

  #complete (at: number, cid: number, head: number): void {
    const view = this.#view
    view.setUint32(at, 0, true)
    view.setUint32(at + 4, 0, true)
    view.setUint16(at + 8, head, true)
    view.setUint16(at + 10, QUEUE_ID, true)
    Atomics.store(this.#words, (at + 12) >>> 2, cid | this.#phase << 16)
  }
}
