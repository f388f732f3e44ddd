import type { SharedMemory, SharedMemoryFactory } from '@pcikit/core'
import { closeDescriptor, createMemoryFile, Mapping } from '@pcikit/native'

/** Makes memory in files without a name, whose descriptors the protocol passes to clients. */
export class FileMemoryFactory implements SharedMemoryFactory {
  create (name: string, byteLength: number): SharedMemory {
    const descriptor = createMemoryFile(name, byteLength, { seal: true })
    const mapping = Mapping.map(descriptor, 0, byteLength, { read: true, write: true })
    let isOpen = true
    return {
      descriptor,
      bytes: new Uint8Array(mapping.window(0, byteLength)),
      close () {
        if (!isOpen) return
        isOpen = false
        mapping.unmap()
        closeDescriptor(descriptor)
      }
    }
  }
}
