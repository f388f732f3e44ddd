import type { DmaManager } from '@pcikit/core'
import { describe } from 'vitest'
import { describeBusMaster } from './dma-manager/bus-master.js'
import { describeLeases } from './dma-manager/leases.js'
import { describeMessages } from './dma-manager/messages.js'
import { describePeeks } from './dma-manager/peeks.js'
import { describeRegions } from './dma-manager/regions.js'
import { describeRemoval } from './dma-manager/removal.js'
import { describeWindows } from './dma-manager/windows.js'

/** What the suite asks of a manager that it wants made. */
export interface DmaManagerRequest {
  /** How long the manager may wait for transfers in flight before it cuts them off, in milliseconds. */
  readonly deadlineMs: number
}

/** How the suite obtains a manager without regions, as it is before its function switches bus mastering on. */
export interface DmaManagerFixture {
  create(request: DmaManagerRequest): DmaManager
}

/** Checks what `DmaManager` asks of every implementation. One call is a manager's whole compliance test. */
export function describeDmaManager (name: string, fixture: DmaManagerFixture): void {
  describe(`${name} as DmaManager`, () => {
    describeRegions(fixture)
    describeLeases(fixture)
    describeWindows(fixture)
    describePeeks(fixture)
    describeRemoval(fixture)
    describeBusMaster(fixture)
    describeMessages(fixture)
  })
}
