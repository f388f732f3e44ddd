import type { Command } from '../command.js'
import { DatasetManagement, DatasetRange } from '../layouts/command.js'
import type { Namespace } from '../namespace.js'
import { Status } from '../status.js'
import type { Outcome } from '../status.js'
import { isInside } from './block-range.js'
import type { IoSurroundings } from './io-surroundings.js'
import { settled } from './media.js'

/**
 * Deallocates ranges; every other attribute is a hint that nothing follows from. All ranges are checked before the
 * first is touched. [NVMe-NVM] "Dataset Management command".
 */
export function manageDataset (surroundings: IoSurroundings, command: Command, namespace: Namespace): Outcome {
  const rangeCount = DatasetManagement.NR.get(command.cdw10) + 1
  const isDeallocate = DatasetManagement.AD.isSet(command.cdw11)
  if (isDeallocate && namespace.readOnly) return Status.NAMESPACE_WRITE_PROTECTED
  const ranges = new DataView(new ArrayBuffer(rangeCount * DatasetRange.byteLength))
  return surroundings.transfer.fromHost(command, new Uint8Array(ranges.buffer), () => {
    if (!areInside(namespace, ranges)) return Status.LBA_OUT_OF_RANGE
    command.ranges = ranges
    if (!isDeallocate || namespace.backend.discard === undefined) return Status.SUCCESS
    return discardRanges(surroundings, command, namespace, ranges)
  })
}

function areInside (namespace: Namespace, ranges: DataView): boolean {
  for (let base = 0; base < ranges.byteLength; base += DatasetRange.byteLength) {
    if (!isInside(namespace, DatasetRange.slba.get(ranges, base), DatasetRange.length.get(ranges, base))) return false
  }
  return true
}

function discardRanges (
  surroundings: IoSurroundings,
  command: Command,
  namespace: Namespace,
  ranges: DataView
): Outcome {
  const late: Promise<void>[] = []
  for (let base = 0; base < ranges.byteLength; base += DatasetRange.byteLength) {
    const length = DatasetRange.length.get(ranges, base)
    const pending = length === 0 ? undefined : namespace.backend.discard?.(DatasetRange.slba.get(ranges, base), length)
    if (pending !== undefined) late.push(pending)
  }
  if (late.length === 0) return settled(surroundings, command, namespace)
  return Promise.all(late).then(() => settled(surroundings, command, namespace))
}
