import type { Command } from '../command.js'
import { ReadWriteDword12 } from '../layouts/command.js'
import type { Namespace } from '../namespace.js'
import { Status } from '../status.js'
import type { Outcome } from '../status.js'
import { blockCount, isInside, startingBlock } from './block-range.js'
import type { IoSurroundings } from './io-surroundings.js'

/** Makes what was written to a namespace durable. [NVMe-NVM] "Flush command". */
export function flushNamespace (namespace: Namespace): Outcome {
  if (!namespace.backend.hasVolatileCache) return Status.SUCCESS
  return succeeded(namespace.backend.flush())
}

/**
 * What a change of the media comes to: durable at once where the command (FUA) or the host (no write cache) wants it.
 * [NVMe-Base] "Volatile Write Cache", [NVMe-NVM] "Write command": FUA.
 */
export function settled (surroundings: IoSurroundings, command: Command, namespace: Namespace): Outcome {
  if (!namespace.backend.hasVolatileCache) return Status.SUCCESS
  if (!ReadWriteDword12.FUA.isSet(command.cdw12) && surroundings.features.isWriteCacheEnabled) return Status.SUCCESS
  return flushNamespace(namespace)
}

/** [NVMe-NVM] "Write Zeroes command". DEAC asks for what every back end does anyway where it can. */
export function writeZeroes (surroundings: IoSurroundings, command: Command, namespace: Namespace): Outcome {
  const lba = startingBlock(command)
  const count = blockCount(command)
  if (!isInside(namespace, lba, count)) return Status.LBA_OUT_OF_RANGE
  if (namespace.readOnly) return Status.NAMESPACE_WRITE_PROTECTED
  const pending = namespace.backend.writeZeroes(lba, count)
  if (pending === undefined) return settled(surroundings, command, namespace)
  return pending.then(() => settled(surroundings, command, namespace))
}

function succeeded (pending: void | Promise<void>): Outcome {
  return pending === undefined ? Status.SUCCESS : pending.then(() => Status.SUCCESS)
}
