import { DmaAccess, DmaFault } from '@pcikit/core'
import type { MessageDirection, MessagePiece } from './client-messages.js'
import type { GuestMemory } from './guest-memory.js'
import type { Chunk } from './mapped-pages.js'

/** Up to here a loop is faster than the two calls it takes to copy a part of an array. */
const LOOP_BYTES_MAX = 64

/** Copies guest memory at its `place` into `target`, or nothing at all if a part cannot be read. */
export function copyFromGuest (memory: GuestMemory, target: Uint8Array): DmaFault | Promise<DmaFault> {
  const count = target.byteLength
  if (!memory.locate(count, DmaAccess.READ)) return copyPieces(memory, target, DmaAccess.READ)
  copyBytes(memory.recent.bytes, memory.offset, target, 0, count)
  return memory.mayHaveLost ? settle(memory, count, DmaAccess.READ) : DmaFault.NONE
}

/** Copies `source` into guest memory at its `place`, or nothing at all if a part cannot be written. */
export function copyToGuest (memory: GuestMemory, source: Uint8Array): DmaFault | Promise<DmaFault> {
  const count = source.byteLength
  if (!memory.locate(count, DmaAccess.WRITE)) return copyPieces(memory, source, DmaAccess.WRITE)
  copyBytes(source, 0, memory.recent.bytes, memory.offset, count)
  return memory.mayHaveLost ? settle(memory, count, DmaAccess.WRITE) : DmaFault.NONE
}

function copyPieces (memory: GuestMemory, local: Uint8Array, access: DmaAccess): DmaFault | Promise<DmaFault> {
  const iova = memory.place
  const end = iova + local.byteLength
  const refusal = memory.refusal(iova, local.byteLength)
  if (refusal !== DmaFault.NONE) return fail(memory, refusal, iova, end, access)
  const until = memory.reachableUntil(iova, end, access)
  if (until < end) return fail(memory, memory.fault, until, end, access)
  let messages: MessagePiece[] | undefined = undefined
  for (let at = iova; at < end;) {
    const region = memory.reach(at, access)
    if (region === undefined) return fail(memory, memory.fault, at, end, access)
    const length = Math.min(end, region.reachableEnd) - at
    if (region.file === undefined) {
      messages ??= []
      messages.push({ region, iova: at, bytes: local.subarray(at - iova, at - iova + length) })
      at += length
      continue
    }
    const chunk = memory.chunkAt(region, at)
    if (chunk === undefined) return fail(memory, memory.fault, at, end, access)
    const count = Math.min(length, chunk.end - at)
    copyPiece(chunk, at, local, at - iova, count, access)
    at += count
  }
  return messages === undefined ? settle(memory, local.byteLength, access) : message(memory, messages, access)
}

function copyPiece (
  chunk: Chunk,
  iova: number,
  local: Uint8Array,
  start: number,
  count: number,
  access: DmaAccess
): void {
  if (access === DmaAccess.READ) copyBytes(chunk.bytes, iova - chunk.iova, local, start, count)
  else copyBytes(local, start, chunk.bytes, iova - chunk.iova, count)
}

function copyBytes (source: Uint8Array, from: number, target: Uint8Array, to: number, count: number): void {
  if (count > LOOP_BYTES_MAX) {
    target.set(source.subarray(from, from + count), to)
    return
  }
  for (let index = 0; index < count; index += 1) target[to + index] = source[from + index]!
}

/** What comes of an access at the `place` of guest memory, where a file may have become shorter under it. */
export function settle (memory: GuestMemory, byteLength: number, access: DmaAccess): DmaFault {
  if (!memory.mayHaveLost) return DmaFault.NONE
  memory.inspectFiles()
  const iova = memory.place
  const end = iova + byteLength
  const until = memory.reachableUntil(iova, end, access)
  return until < end ? fail(memory, memory.fault, until, end, access) : DmaFault.NONE
}

async function message (memory: GuestMemory, pieces: readonly MessagePiece[], access: DmaAccess): Promise<DmaFault> {
  const direction: MessageDirection = access === DmaAccess.READ ? 'read' : 'write'
  const { fault, iova } = await memory.messages.transfer(direction, pieces)
  return fault === DmaFault.NONE ? fault : fail(memory, fault, iova, iova, access)
}

function fail (memory: GuestMemory, fault: DmaFault, iova: number, end: number, access: DmaAccess): DmaFault {
  memory.faults.note(fault, iova, end - iova, access)
  return fault
}
