import type { BlockBackend } from '@pcikit/block'

/** What a namespace is made of. */
export interface NamespaceDescription {
  /** NSID, from 1 on. */
  readonly id: number
  readonly backend: BlockBackend
  /** Its identity over restarts, 16 bytes. [NVMe-Base] "Namespace Globally Unique Identifier", as a UUID. */
  readonly uuid: Uint8Array
}

/** A namespace: a back end under an identifier. [NVMe-NVM] "Identify Namespace data structure". */
export class Namespace {
  readonly id: number
  readonly backend: BlockBackend
  readonly uuid: Uint8Array
  readonly blockBytes: number
  readonly readOnly: boolean

  constructor (description: NamespaceDescription) {
    this.id = description.id
    this.backend = description.backend
    this.uuid = description.uuid
    this.blockBytes = description.backend.blockSize
    this.readOnly = description.backend.readOnly
  }

  /** NSZE: what the back end has at the moment. */
  get blockCount (): number {
    return this.backend.blockCount
  }
}

/** The namespaces of a controller. All are attached; those between the last one and `maximum` are inactive. */
export class Namespaces {
  readonly #active: readonly Namespace[]
  /** NN: the largest valid NSID. */
  readonly maximum: number

  constructor (active: readonly Namespace[], maximum: number) {
    this.#active = active
    this.maximum = Math.max(maximum, active.length)
  }

  [Symbol.iterator] (): Iterator<Namespace> {
    return this.#active[Symbol.iterator]()
  }

  /** Looks for requests that the back ends have answered. True: there were some, and who waits for them runs next. */
  poll (mayWait: boolean): boolean {
    let hasSettled = false
    for (let index = 0; index < this.#active.length; index++) {
      if (this.#active[index]!.backend.poll?.(mayWait && this.#active.length === 1) === true) hasSettled = true
    }
    return hasSettled
  }

  /** The active namespace of this NSID. */
  get (nsid: number): Namespace | undefined {
    return this.#active[nsid - 1]
  }

  /** Whether the NSID is one that a namespace may have, active or not. [NVMe-Base] "Valid and Invalid NSIDs". */
  isValid (nsid: number): boolean {
    return nsid >= 1 && nsid <= this.maximum
  }
}
