import type { UsedChain } from './driver-ring.js'

/** A buffer that was given back, and what the ring knows of it. */
export interface TakenChain<Details> {
  readonly used: UsedChain
  readonly details: Details
}

/**
 * The chains that one used element gives back, and takes them out of those that are with the device. In order it may
 * stand for all that were added before, which it then gives back too. Throws Error where nothing has that ID.
 * [virtio] "In-order use of descriptors".
 */
export function takeBatch<Details> (
  chains: Map<number, Details>,
  id: number,
  written: number,
  isInOrder: boolean
): TakenChain<Details>[] {
  if (!chains.has(id)) throw new Error(`Buffer ${id} was given back, which the device does not have.`)
  const batch: TakenChain<Details>[] = []
  for (const [each, details] of isInOrder ? [...chains] : [[id, chains.get(id)!] as const]) {
    const isSkipped = each !== id
    batch.push({ used: { id: each, written: isSkipped ? 0 : written, isSkipped }, details })
    chains.delete(each)
    if (!isSkipped) break
  }
  return batch
}
