import { DmaAccess } from '@pcikit/core'
import type { DmaManager, DmaRegion } from '@pcikit/core'
import { duplicateDescriptor } from '@pcikit/native'
import { afterEach, beforeEach } from 'vitest'
import { GuestFile } from '../../guest/guest-file.js'
import type { DmaManagerFixture } from '../dma-manager.js'

/** The smallest region. */
export const PAGE = 4096

/** Long enough that nothing is cut off by accident, short enough for a test that waits for it. */
const DEADLINE_MS = 50

/** A manager with its bus master on, and a client's memory: 64 pages, each full of its own number. */
export class Guest {
  readonly dma: DmaManager
  readonly file = GuestFile.create(64 * PAGE)

  constructor (fixture: DmaManagerFixture) {
    this.dma = fixture.create({ deadlineMs: DEADLINE_MS })
    this.dma.setBusMaster(true)
    for (let page = 0; page < 64; page += 1) this.file.bytes.fill(page, page * PAGE, (page + 1) * PAGE)
  }

  /** A request that maps one page at its own address, unless told otherwise. */
  region (page: number, changes: Partial<DmaRegion> = {}): DmaRegion {
    return {
      iova: page * PAGE,
      byteLength: PAGE,
      access: DmaAccess.READ_WRITE,
      fileOffset: page * PAGE,
      descriptor: duplicateDescriptor(this.file.descriptor),
      ...changes
    }
  }

  /** Maps a page at its own address, unless told otherwise. */
  map (page: number, changes: Partial<DmaRegion> = {}): void {
    this.dma.map(this.region(page, changes))
  }

  /** Maps a page that the client does not share. */
  mapUnshared (page: number, changes: Partial<DmaRegion> = {}): void {
    this.dma.map({ iova: page * PAGE, byteLength: PAGE, access: DmaAccess.READ_WRITE, fileOffset: 0, ...changes })
  }

  async close (): Promise<void> {
    await this.dma.close()
    this.file.close()
  }
}

/** The guest of the test that runs, made anew for each. */
export function useGuest (fixture: DmaManagerFixture): { readonly now: Guest } {
  const current = { now: undefined as unknown as Guest }
  beforeEach(() => {
    current.now = new Guest(fixture)
  })
  afterEach(async () => {
    await current.now.close()
  })
  return current
}

/** The errno that a call throws or a promise rejects with; undefined when all goes well. */
export async function errnoOf (call: () => unknown): Promise<number | undefined> {
  try {
    await call()
    return undefined
  } catch (error) {
    return (error as { errno?: number }).errno
  }
}
