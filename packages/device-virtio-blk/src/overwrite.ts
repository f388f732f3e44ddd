import type { BlockBackend, BlockRange } from '@pcikit/block'

/** Bytes written at once. */
const CHUNK_BYTES = 1024 * 1024

/** Writes zeroes over blocks, where zeroing might only forget where their data is, and makes that durable. */
export async function overwrite (backend: BlockBackend, { start, count }: BlockRange): Promise<void> {
  const chunkBlocks = CHUNK_BYTES / backend.blockSize
  const zeroes = new Uint8Array(Math.min(count, chunkBlocks) * backend.blockSize)
  for (let done = 0; done < count; done += chunkBlocks) {
    const blocks = Math.min(chunkBlocks, count - done)
    await backend.write(start + done, zeroes.subarray(0, blocks * backend.blockSize))
  }
  await backend.flush()
}
