import { join } from 'node:path'
import virtioBlk from '@pcikit/device-virtio-blk'
import { VirtioBlkDriver, VirtioBlkRequest, VirtioBlkStatus, VirtioGuest } from '@pcikit/testkit'
import type { VirtioGuestOptions, VirtioSample } from '@pcikit/testkit'
import { CommandProcess } from '../command-process.js'
import type { DeviceProcess } from './device-process.js'
import { createFolder, serveDevice } from './testbed.js'
import type { Cleanup, Served } from './testbed.js'

/** Minutes: what waits for memory must not give up before it is back, on a slow machine either. */
export const GRACE_MS = 600_000

/** Serves a virtio block device of 4 MiB in this process, or what the options say. */
export async function serveVirtioBlk (cleanup: Cleanup, options: Record<string, unknown> = {}): Promise<Served> {
  return serveDevice(cleanup, {
    plugin: virtioBlk,
    type: 'virtio-blk',
    options: { backend: 'memory:4MiB', graceMs: GRACE_MS, ...options }
  })
}

/** A guest at a virtio block device, and its driver, which has not been started. */
export interface BlkGuest {
  readonly guest: VirtioGuest
  readonly blk: VirtioBlkDriver
}

/** Attaches a guest to a virtio block device. */
export async function attachBlkGuest (
  cleanup: Cleanup,
  path: string,
  options: VirtioGuestOptions = {}
): Promise<BlkGuest> {
  const guest = cleanup.add(await VirtioGuest.attach(path, options), each => each.leave())
  return { guest, blk: new VirtioBlkDriver(guest.driver) }
}

/** A read of the first two sectors, which are zero. */
export function sampleRead (): VirtioSample {
  const header = new Uint8Array(16)
  new DataView(header.buffer).setUint32(0, VirtioBlkRequest.IN, true)
  return {
    readable: header,
    writableBytes: 1025,
    check: (answer, written) => {
      if (answer.at(-1) !== VirtioBlkStatus.OK) throw new Error(`The status is ${answer.at(-1)}.`)
      if (answer.some(byte => byte !== 0)) throw new Error('The sectors are not zero.')
      if (written !== 1025) throw new Error(`The device says that it wrote ${written} of 1025 bytes.`)
    }
  }
}

/** Starts `pcikit run virtio-blk` on a socket of its own and waits until it serves. The process ends with the test. */
export async function startVirtioBlk (cleanup: Cleanup, words: readonly string[]): Promise<DeviceProcess> {
  const path = join(createFolder(cleanup), 'device.sock')
  const command = await CommandProcess.serve(['run', 'virtio-blk', '--socket', path, ...words])
  cleanup.add(command, each => each[Symbol.asyncDispose]())
  return {
    pid: command.pid,
    path,
    get isRunning () {
      return command.isRunning
    }
  }
}
