import type { Command } from '../command.js'
import { ReadWriteDword12 } from '../layouts/command.js'
import type { Namespace } from '../namespace.js'

/** SLBA, the first block that a command names. [NVMe-NVM] "Read command": Command Dwords 10 and 11. */
export function startingBlock (command: Command): number {
  return command.cdw10 + command.cdw11 * 0x1_0000_0000
}

/** NLB, which is 0's based. */
export function blockCount (command: Command): number {
  return ReadWriteDword12.NLB.get(command.cdw12) + 1
}

/** Whether the blocks from `lba` on are all in the namespace. */
export function isInside (namespace: Namespace, lba: number, count: number): boolean {
  return lba + count <= namespace.blockCount
}
