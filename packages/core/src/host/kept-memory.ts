import type { SharedMemory, SharedMemoryFactory } from '../tokens.js'

interface Entry {
  readonly memory: SharedMemory
  /** How many codes of the device have it. */
  users: number
}

/** What one code of a device makes its shared memory with. */
export interface MemoryLoan extends SharedMemoryFactory {
  /** The code ended. Its memory stays until `prune`. */
  end(): void
}

/**
 * Shared memory that outlives the code of its device: the next one that asks for memory of the same name and length
 * gets the same, so that what a client mapped stays what it is.
 */
export class KeptMemory {
  readonly #factory: SharedMemoryFactory
  readonly #entries = new Map<string, Entry>()

  constructor (factory: SharedMemoryFactory) {
    this.#factory = factory
  }

  lend (): MemoryLoan {
    const borrowed = new Set<Entry>()
    const counts = new Map<string, number>()
    return {
      create: (name, byteLength) => {
        // Nothing says that names differ within a device.
        const nth = counts.get(name) ?? 0
        counts.set(name, nth + 1)
        const entry = this.#borrow(`${byteLength} ${nth} ${name}`, name, byteLength)
        entry.users++
        borrowed.add(entry)
        // What it closes is taken back when the code ends, in case that the one before goes on.
        return { descriptor: entry.memory.descriptor, bytes: entry.memory.bytes, close: () => undefined }
      },
      end: () => {
        for (const entry of borrowed) entry.users--
        borrowed.clear()
      }
    }
  }

  /** As if it were new: for a device that goes on from power-on. */
  clear (): void {
    for (const { memory } of this.#entries.values()) memory.bytes.fill(0)
  }

  /** Lets the memory go that no code has any more. */
  prune (): void {
    for (const [key, { memory, users }] of this.#entries) {
      if (users > 0) continue
      this.#entries.delete(key)
      memory.close()
    }
  }

  #borrow (key: string, name: string, byteLength: number): Entry {
    const kept = this.#entries.get(key)
    if (kept !== undefined) return kept
    const entry = { memory: this.#factory.create(name, byteLength), users: 0 }
    this.#entries.set(key, entry)
    return entry
  }
}
