import type { Recorder } from '@pcikit/core'
import type { GuestMemory } from './guest-memory.js'
import { endTransfers } from './in-flight.js'
import type { InUse } from './in-flight.js'
import type { Listeners } from './listeners.js'
import type { Region } from './region.js'

/** What a removal needs besides the memory. */
export interface RemovalContext {
  readonly recorder: Recorder
  readonly leaving: Listeners
  readonly deadlineMs: number
}

/**
 * Takes regions away for good. Nobody can refuse, and nothing can hold it up for longer than the deadline:
 *
 *   1. they leave the table: what is looked for from now on faults
 *   2. devices are told, and drop what they derived from the memory
 *   3. mappings on which no lease is open go, and the arrays over them become empty
 *   4. open leases and messages are waited for, and past the deadline cut off; their mappings go the same way
 *   5. the descriptors go
 *
 * The first three happen before this returns. Only transfers that touch these regions are waited for.
 */
export async function removeRegions (
  memory: GuestMemory,
  regions: readonly Region[],
  { recorder, leaving, deadlineMs }: RemovalContext
): Promise<void> {
  const first = regions[0]
  const last = regions[regions.length - 1]
  if (first === undefined || last === undefined) return
  const start = performance.now()
  for (const region of regions) {
    memory.space.remove(region)
    region.isPresent = false
  }
  // Whoever was here a moment ago does not ask the table again.
  memory.cache.hide(regions, first.iova, last.end)
  leaving.tell(first.iova, last.end - first.iova)
  const holders = regions.flatMap(region => retire(memory, region))
  const cutOff = await endTransfers(holders, deadlineMs)
  if (cutOff > 0 || regions.some(region => region.file === undefined)) memory.leases.noticeLoss()
  const durationMs = performance.now() - start
  for (const { file, iova, byteLength } of regions) {
    if (file !== undefined) memory.files.release(file)
    recorder.record({ type: 'unmap', iova, byteLength, durationMs })
  }
}

/** Lets go of what nobody uses, and returns what still has transfers in flight. */
function retire (memory: GuestMemory, region: Region): InUse[] {
  if (region.pages !== undefined) memory.cache.retire(region.pages)
  if (region.file === undefined) return region.inFlight.count > 0 ? [region] : []
  return region.retired.filter(pages => !pages.isRevoked)
}
