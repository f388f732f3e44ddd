import type { Command } from '../command.js'
import type { Namespace } from '../namespace.js'
import { Status } from '../status.js'
import type { Outcome } from '../status.js'
import { blockCount, isInside, startingBlock } from './block-range.js'
import type { IoSurroundings } from './io-surroundings.js'

/** [NVMe-NVM] "Compare command". Rare, so it works on copies. */
export function compare (surroundings: IoSurroundings, command: Command, namespace: Namespace): Outcome {
  const lba = startingBlock(command)
  const byteLength = blockCount(command) * namespace.blockBytes
  if (byteLength > surroundings.transferBytesMax) return Status.INVALID_FIELD
  if (!isInside(namespace, lba, blockCount(command))) return Status.LBA_OUT_OF_RANGE
  surroundings.health.countRead(byteLength)
  const given = Buffer.allocUnsafe(byteLength)
  return surroundings.transfer.fromHost(command, given, () => {
    const stored = Buffer.allocUnsafe(byteLength)
    const verdict = (): Status => stored.equals(given) ? Status.SUCCESS : Status.COMPARE_FAILURE
    const pending = namespace.backend.read(lba, stored)
    return pending === undefined ? verdict() : pending.then(verdict)
  })
}
