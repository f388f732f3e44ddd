import { closeSync, ftruncateSync, readdirSync, readFileSync, readlinkSync, readSync, writeSync } from 'node:fs'
import { createMemoryFile, duplicateDescriptor } from '@pcikit/native'

export const PAGE = 4096

let count = 0

/** A file of a client, which this process does not map unless the manager does. */
export class MemoryFile {
  readonly name: string
  readonly descriptor: number

  constructor (byteLength: number, options: { readonly seal?: boolean } = {}) {
    count += 1
    this.name = `pcikit-dma-test-${count}`
    this.descriptor = createMemoryFile(this.name, byteLength, options)
  }

  /** One more descriptor, for a manager to own. */
  share (): number {
    return duplicateDescriptor(this.descriptor)
  }

  read (offset: number, byteLength: number): number[] {
    const target = new Uint8Array(byteLength)
    readSync(this.descriptor, target, 0, byteLength, offset)
    return [...target]
  }

  write (offset: number, ...bytes: number[]): void {
    writeSync(this.descriptor, Uint8Array.from(bytes), 0, bytes.length, offset)
  }

  truncate (byteLength: number): void {
    ftruncateSync(this.descriptor, byteLength)
  }

  /** How often the file stands in this process's table of mappings. */
  get mappingCount (): number {
    return readFileSync('/proc/self/maps', 'latin1').split('\n').filter(line => line.includes(`${this.name} `)).length
  }

  /** How many descriptors of this process are of this file, the test's own included. */
  get descriptorCount (): number {
    return readdirSync('/proc/self/fd').filter(fd => linkOf(fd).includes(`${this.name} `)).length
  }

  close (): void {
    closeSync(this.descriptor)
  }
}

function linkOf (fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return '' // The folder's own descriptor, which is closed by now.
  }
}
