import type { GuestFile } from './guest-file.js'
import type { GuestRegion } from './guest-memory.js'

/** Bytes on their way to another place. */
export interface Move {
  readonly file: GuestFile
  readonly position: number
  readonly bytes: Uint8Array
}

/** What has to move where regions went and others came, both in the order of their addresses. */
export function findMoves (gone: readonly GuestRegion[], placed: readonly GuestRegion[]): Move[] {
  const moves: Move[] = []
  let first = 0
  for (const target of placed) {
    while (first < gone.length && gone[first]!.iova + gone[first]!.byteLength <= target.iova) first++
    for (let index = first; index < gone.length && gone[index]!.iova < target.iova + target.byteLength; index++) {
      moves.push(...moveBetween(gone[index]!, target))
    }
  }
  return moves
}

/** What two regions have in common, unless it is where it shall be. */
function moveBetween (source: GuestRegion, target: GuestRegion): Move[] {
  const start = Math.max(source.iova, target.iova)
  const end = Math.min(source.iova + source.byteLength, target.iova + target.byteLength)
  const from = source.fileOffset + start - source.iova
  const position = target.fileOffset + start - target.iova
  if (source.file === target.file && position === from) return []
  return [{ file: target.file, position, bytes: source.file.bytes.slice(from, from + end - start) }]
}
