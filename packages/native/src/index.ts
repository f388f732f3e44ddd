/**
 * What pcikit needs of Linux and Node does not have: file descriptors over UNIX sockets, mappings that can be taken
 * away, event counters, and file transfers straight into mapped memory.
 *
 * @example
 * ```ts
 * import { createMemoryFile, Mapping, UnixSocket } from '@pcikit/native'
 *
 * const memory = createMemoryFile('guest', 1 << 20)
 * const mapping = Mapping.map(memory, 0, 1 << 20, { read: true, write: true })
 * const view = new DataView(mapping.window(0, 4096))
 * const [near, far] = UnixSocket.pair()
 * near.send(new Uint8Array([1]), 0, 1, [memory])
 * const descriptors: number[] = []
 * far.receive(new Uint8Array(16), 0, 16, descriptors)
 * mapping.unmap()
 * view.byteLength // throws: the view is detached
 * ```
 *
 * @packageDocumentation
 */

export { copyBytes } from './copy-bytes.js'
export {
  closeDescriptor,
  describeDescriptor,
  type DescriptorDescription,
  type DescriptorType,
  DescriptorWatch,
  duplicateDescriptor,
  watchDescriptor
} from './descriptor.js'
export { adoptEventFd, createEventFd, readEventFd, signalEventFd, yieldProcessor } from './event-fd.js'
export { EventLoop, LoopTurn } from './event-loop.js'
export {
  AllocateMode,
  blockDeviceSize,
  fileAllocate,
  lockFile,
  OWN_POSITION,
  readVector,
  readVectorNow,
  syncFileData,
  type Waiting,
  writeVector,
  writeVectorNow,
  writeVectorSoon
} from './file-io.js'
export { IoRing } from './io-ring.js'
export { Mapping, type MappingAccess, mappingFaultCount, WINDOW_BYTES_MAX } from './mapping.js'
export { addSeals, createMemoryFile, getSeals, type MemoryFileOptions, Seal } from './memory-file.js'
export { DESCRIPTORS_PER_MESSAGE_MAX, type ListenOptions, UnixListener, UnixSocket, WOULD_BLOCK } from './socket.js'
export { systemError } from './system-error.js'
