import { fstatSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { GuestFile } from '@pcikit/testkit'
import type { GuestRegion, IoQueue } from '@pcikit/testkit'
import { startDevice } from './device-process.js'
import type { DeviceProcess } from './device-process.js'
import { attachGuest } from './testbed.js'
import type { Cleanup, Guest } from './testbed.js'

const KIB = 1024
const MIB = 1024 * KIB
export const DATA_IOVA = 0x4000_0000
export const DATA_BYTES = 256 * KIB
export const READ = 2
export const WRITE = 1
/** What the data are filled with once they are no longer the device's. */
export const POISON = 0xdb
/** SCT 0, SC 04h. [NVMe-Base] "Generic Command Status". */
export const DATA_TRANSFER_ERROR = { sct: 0, sc: 4 }
const plugin = fileURLToPath(new URL('stuck-backend.mjs', import.meta.url))

/** Memory with a file of its own, which holds data and nothing else. */
export interface DataMemory {
  readonly file: GuestFile
  readonly inode: number
  readonly region: GuestRegion
}

/** A guest whose queues and data are in different files, at a controller in another process. */
export async function attachWithData (cleanup: Cleanup, device: DeviceProcess, shared = true) {
  const file = GuestFile.create(DATA_BYTES)
  const placement = { iova: DATA_IOVA, byteLength: DATA_BYTES, file, shared }
  const guest = await attachGuest(cleanup, device.path, {
    layOut: memory => {
      memory.add({ iova: MIB, byteLength: 4 * MIB })
      memory.add(placement)
      memory.reserve(DATA_IOVA, DATA_BYTES)
    }
  })
  await guest.driver.enable()
  await guest.driver.admin.setQueueCount(1)
  const queue = await guest.driver.createQueuePair({ id: 1, depth: 64 })
  const region = guest.memory.regions.find(each => each.iova === DATA_IOVA)!
  const data: DataMemory = { file, inode: fstatSync(file.descriptor).ino, region }
  return { guest, queue, data }
}

/** Starts a controller whose namespace 1 is in memory, and whose namespace 2 may be something else. */
export async function serveWith (cleanup: Cleanup, second?: string): Promise<DeviceProcess> {
  const more = second === undefined ? [] : ['--plugin', plugin, '--backend', second]
  return startDevice(cleanup, ['--log-level', 'error', '--backend', 'memory:4MiB', ...more])
}

export async function unmapAndPoison (guest: Guest, { file, region }: DataMemory): Promise<void> {
  await guest.client.unmapDma(region.iova, region.byteLength)
  file.bytes.fill(POISON)
}

/** Whether nobody wrote to the data since it was unmapped. A few requests give whoever wants to the time for it. */
export async function isUntouched (guest: Guest, { file }: DataMemory): Promise<boolean> {
  for (let turn = 0; turn < 20; turn++) await guest.client.getInfo()
  return file.bytes.every(byte => byte === POISON)
}

/** What {@link transfer} transfers, and where. */
export interface TransferOptions {
  readonly nsid?: number
  readonly offset?: number
  readonly lba?: number
}

/** One page of data, or a part of it, as the command wants it. */
export function transfer (queue: IoQueue, opcode: number, options: TransferOptions = {}) {
  const { nsid = 1, offset = 0, lba = 0 } = options
  return queue.submit({ opcode, nsid, prp1: DATA_IOVA + offset, cdw10: lba, cdw12: 7 })
}

/** Waits until the controller has fetched what was submitted: it fetches in order. */
export async function isFetched (queue: IoQueue): Promise<void> {
  await queue.flush(1)
}
