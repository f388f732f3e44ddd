import { Errno, ProtocolError } from '@pcikit/core'
import type { DmaRegion } from '@pcikit/core'
import { closeDescriptor } from '@pcikit/native'
import type { GuestMemory } from './guest-memory.js'
import { ADDRESS_END, PAGE_BYTES, Region } from './region.js'
import type { SharedFile } from './shared-file.js'

/**
 * Makes a region of what a client asks for. Throws ProtocolError where that cannot be; the descriptor is closed then.
 *
 * @param regionsMax how many regions there may be with this one
 */
export function admitRegion (memory: GuestMemory, request: DmaRegion, regionsMax: number): Region {
  const { iova, byteLength, access, descriptor, fileOffset } = request
  const refusal = findRefusal(memory, request, regionsMax)
  if (refusal !== undefined) {
    if (descriptor !== undefined) closeDescriptor(descriptor)
    throw refusal
  }
  if (descriptor === undefined) return new Region(iova, byteLength, access, undefined, 0)
  const file = memory.files.adopt(descriptor, access)
  const region = new Region(iova, byteLength, access, file, fileOffset)
  if (file.regionCount === 1) tryOut(memory, region, file)
  return region
}

/** Whether an address or a length is made of whole pages. */
export function isPageMultiple (value: number): boolean {
  return value >= 0 && value % PAGE_BYTES === 0
}

function findRefusal (memory: GuestMemory, request: DmaRegion, regionsMax: number): ProtocolError | undefined {
  const { iova, byteLength, access, descriptor, fileOffset } = request
  const end = iova + byteLength
  if (!isPageMultiple(iova) || !isPageMultiple(byteLength) || byteLength === 0) {
    return new ProtocolError(Errno.EINVAL, 'The region is empty or not made of whole pages')
  }
  if (end > ADDRESS_END) return new ProtocolError(Errno.EINVAL, 'The region does not end below 2^53')
  if (access < 1 || access > 3) return new ProtocolError(Errno.EINVAL, 'The region is neither to be read nor written')
  if (descriptor !== undefined && (!isPageMultiple(fileOffset) || fileOffset + byteLength > ADDRESS_END)) {
    return new ProtocolError(Errno.EINVAL, 'The offset in the file is not a multiple of a page, or too large')
  }
  if (memory.space.overlaps(iova, end)) return new ProtocolError(Errno.EEXIST, 'The region overlaps another')
  if (memory.space.regionCount >= regionsMax) {
    return new ProtocolError(Errno.ENOSPC, `There cannot be more than ${regionsMax} regions`)
  }
  return undefined
}

/** Maps the first region of a file at once: a descriptor that is of no use is refused while the client can be told. */
function tryOut (memory: GuestMemory, region: Region, file: SharedFile): void {
  try {
    memory.cache.open(region, file)
  } catch (cause) {
    memory.files.release(file)
    const { code } = cause as NodeJS.ErrnoException
    const errno = Errno[code as keyof typeof Errno] as Errno | undefined
    throw new ProtocolError(errno ?? Errno.EINVAL, 'The file of the region cannot be mapped', { cause })
  }
}
