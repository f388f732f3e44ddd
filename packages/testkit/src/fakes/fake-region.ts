import { DmaAccess, DmaFault } from '@pcikit/core'
import type { DmaRegion } from '@pcikit/core'
import { closeDescriptor, describeDescriptor, Mapping } from '@pcikit/native'

/** Something that is busy with a region, and that an unmap waits for. */
export interface RegionUser {
  /** The region is taken away. */
  revoke(region: FakeRegion, iova: number): void
}

/** A region of the fake manager: memory that the client shared, or a range that it is asked for. */
export class FakeRegion {
  readonly iova: number
  readonly byteLength: number
  readonly access: DmaAccess
  /** Views over the mapping, of no length where the client shares nothing. */
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly words: Uint32Array
  readonly isShared: boolean
  /** Who is busy with it, and at which of its addresses. */
  readonly users = new Map<RegionUser, number>()
  readonly #mapping: Mapping | undefined
  #onIdle: (() => void) | undefined

  constructor (request: DmaRegion) {
    this.iova = request.iova
    this.byteLength = request.byteLength
    this.access = request.access
    this.isShared = request.descriptor !== undefined
    const present = presentBytes(request)
    this.#mapping = present === 0 ? undefined : mapRegion(request, present)
    if (request.descriptor !== undefined) closeDescriptor(request.descriptor)
    const buffer = this.#mapping?.window(0, present) ?? new ArrayBuffer(0)
    this.bytes = new Uint8Array(buffer)
    this.view = new DataView(buffer)
    this.words = new Uint32Array(buffer, 0, Math.floor(buffer.byteLength / 4))
  }

  get end (): number {
    return this.iova + this.byteLength
  }

  /** Why `length` bytes at `offset` cannot be accessed, and at which offset. */
  check (offset: number, length: number, access: DmaAccess): { fault: DmaFault, offset: number } {
    const missing = access & ~this.access
    if ((missing & DmaAccess.READ) !== 0) return { fault: DmaFault.NOT_READABLE, offset }
    if ((missing & DmaAccess.WRITE) !== 0) return { fault: DmaFault.NOT_WRITABLE, offset }
    if (!this.isShared || offset + length <= this.bytes.length) return { fault: DmaFault.NONE, offset }
    return { fault: DmaFault.PAST_END_OF_FILE, offset: Math.max(offset, this.bytes.length) }
  }

  /** Notes that somebody is busy with this region. */
  hold (user: RegionUser, iova: number): void {
    if (!this.users.has(user)) this.users.set(user, iova)
  }

  /** The user is done. */
  letGo (user: RegionUser): void {
    this.users.delete(user)
    if (this.users.size === 0) this.#onIdle?.()
  }

  /** Waits until nobody is busy with this region; past the deadline those who are lose it. */
  async drain (deadlineMs: number): Promise<void> {
    if (this.users.size > 0) {
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, deadlineMs)
        this.#onIdle = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    this.#onIdle = undefined
    const users = [...this.users]
    this.users.clear()
    for (const [user, iova] of users) user.revoke(this, iova)
  }

  /** Gives the memory back. Every view of it is empty from then on. */
  close (): void {
    this.#mapping?.unmap()
  }
}

/** How many bytes of the region the file has. */
function presentBytes ({ descriptor, fileOffset, byteLength }: DmaRegion): number {
  if (descriptor === undefined) return 0
  return Math.max(0, Math.min(byteLength, describeDescriptor(descriptor).size - fileOffset))
}

function mapRegion ({ descriptor, fileOffset, access }: DmaRegion, byteLength: number): Mapping {
  return Mapping.map(descriptor!, fileOffset, byteLength, { read: true, write: (access & DmaAccess.WRITE) !== 0 })
}
