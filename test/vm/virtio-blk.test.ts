// A Debian kernel and our virtio block devices: many disks in one process and one machine.
import { createHash, randomBytes } from 'node:crypto'
import { readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bootGuest, ensureVm } from '@pcikit/testkit/vm'
import type { Guest } from '@pcikit/testkit/vm'
import { startDisks } from './device-process.js'
import type { DeviceProcess, DiskOptions } from './device-process.js'
import { checkFileSystem, findDisk, makeFileSystem, queueInterrupts, verifyWithFio } from './disk-scenarios.js'
import type { GuestDisk } from './disk-scenarios.js'

const vm = await ensureVm()
const MIB = 1024 * 1024
const sectorBytes = 512
const cpus = 4

/** Feature bits that a queue is affected by, and what they are called where they are masked. */
const queueFeatures = [
  { bit: 34, name: 'packed', on: 'packed', off: 'split' },
  { bit: 28, name: 'indirect', on: 'table', off: 'plain' },
  { bit: 29, name: 'event-idx', on: 'event', off: 'flag' }
]

interface Combination {
  readonly name: string
  readonly queues: number
  readonly withoutFeatures: readonly string[]
}

/** One disk for each way in which Linux can use a queue, with one queue and with several. */
const combinations: readonly Combination[] = Array.from({ length: 2 ** queueFeatures.length * 2 }, (_, index) => {
  const isMasked = queueFeatures.map((_, place) => (index >> place & 1) !== 0)
  const queues = index >> queueFeatures.length === 0 ? 1 : cpus
  const words = queueFeatures.map(({ on, off }, place) => isMasked[place] === true ? off : on)
  return {
    name: [...words, queues].join('-'),
    queues,
    withoutFeatures: queueFeatures.filter((_, place) => isMasked[place]).map(feature => feature.name)
  }
})

/** All disks, by their serial numbers. */
const disks: Readonly<Record<string, DiskOptions>> = {
  ...Object.fromEntries(combinations.map(({ name, queues, withoutFeatures }) => [
    name,
    { byteLength: 48 * MIB, options: { queues, withoutFeatures } }
  ])),
  'files': { byteLength: 96 * MIB, options: { resizeCheckMs: 100 } },
  'read-only': { byteLength: 4 * MIB, options: { readOnly: true } },
  'cache': { byteLength: 48 * MIB, options: { writeCache: false } },
  'large-blocks-20-char': {
    byteLength: 48 * MIB,
    options: { blockSize: 4096, physicalBlockSize: 16384, minimumIo: 16384, optimalIo: 65536 }
  },
  'polled': { byteLength: 48 * MIB, options: { doorbells: 'mmap' } },
  'zoned': { byteLength: 64 * MIB, options: { zoned: { zoneSize: '8MiB', conventional: 1, maxOpen: 4 } } }
}

let device: DeviceProcess
let guest: Guest

beforeAll(async () => {
  const names = Object.keys(disks)
  const entries = Object.entries(disks).map(([serial, { byteLength, options }]) =>
    [serial, { byteLength, options: { serial, ...options } }] as const
  )
  device = await startDisks(Object.fromEntries(entries))
  await writeFile(fileOf('read-only'), randomBytes(4 * MIB))
  const vfioUserSockets = names.map(name => join(device.folder, `${name}.sock`))
  guest = await bootGuest(vm, { vfioUserSockets, cpus, memoryMiB: 1024 })
  await guest.ready()
})

afterAll(async () => {
  await guest[Symbol.asyncDispose]()
  await device[Symbol.asyncDispose]()
})

function fileOf (name: string): string {
  return join(device.folder, `${name}.img`)
}

/** What the kernel says of a disk, below `/sys/block/NAME`. */
async function attribute (disk: GuestDisk, name: string): Promise<string> {
  return (await guest.check(`cat /sys/block/${disk.path.slice(5)}/${name}`)).trim()
}

/** The numbers of the feature bits that the kernel has negotiated. */
async function featuresOf (disk: GuestDisk): Promise<number[]> {
  const text = await guest.check(`cat /sys/bus/virtio/devices/${disk.controller}/features`)
  return [...text.trim()].flatMap((bit, index) => bit === '1' ? [index] : [])
}

describe('virtio block devices', () => {
  it.each(combinations)('$name: the kernel takes what is offered', async ({ name, queues, withoutFeatures }) => {
    const disk = await findDisk(guest, name)
    const features = await featuresOf(disk)
    const expected = queueFeatures.filter(feature => !withoutFeatures.includes(feature.name)).map(({ bit }) => bit)
    expect(features.filter(bit => queueFeatures.some(feature => feature.bit === bit))).toEqual([...expected].sort())
    // VERSION_1, ACCESS_PLATFORM, NOTIFICATION_DATA, RING_RESET.
    for (const bit of [32, 33, 38, 40]) expect(features).toContain(bit)
    expect(await queueInterrupts(guest, disk)).toHaveLength(queues)
  })

  it('give back what was written, whatever was negotiated', async () => {
    const found: GuestDisk[] = []
    for (const { name } of combinations) found.push(await findDisk(guest, name))
    const before = await Promise.all(found.map(async disk => queueInterrupts(guest, disk)))
    await verifyWithFio(guest, found, cpus, [16])
    for (const [index, disk] of found.entries()) {
      const after = await queueInterrupts(guest, disk)
      for (const [queue, count] of after.entries()) expect(count).toBeGreaterThan(before[index]![queue]!)
    }
  })

  it('are read-only where they are to be', async () => {
    const disk = await findDisk(guest, 'read-only')
    expect(await attribute(disk, 'ro')).toBe('1')
    expect(await guest.run(`dd if=/dev/zero of=${disk.path} bs=4k count=1 oflag=direct`)).not.toMatchObject({
      status: 0
    })
    const digest = createHash('sha256').update(await readFile(fileOf('read-only'))).digest('hex')
    expect(await guest.check(`sha256sum ${disk.path}`)).toContain(digest)
  })

  it('have the cache that the guest asks for', async () => {
    const disk = await findDisk(guest, 'cache')
    const modes: string[] = []
    const note = async (): Promise<number> =>
      modes.push(`${await attribute(disk, 'cache_type')}, ${await attribute(disk, 'queue/write_cache')}`)
    await note()
    for (const mode of ['write back', 'write through']) {
      await guest.check(`echo ${mode} >/sys/block/${disk.path.slice(5)}/cache_type`)
      await note()
      await verifyWithFio(guest, disk, 1, [16])
    }
    const [through, back] = ['write through, write through', 'write back, write back']
    expect(modes).toEqual([through, back, through])
  })

  it('say how large their blocks are, and keep 20 characters of a serial number', async () => {
    const disk = await findDisk(guest, 'large-blocks-20-char')
    const names = ['logical_block_size', 'physical_block_size', 'minimum_io_size', 'optimal_io_size']
    const sizes = await Promise.all(names.map(async name => attribute(disk, `queue/${name}`)))
    expect(sizes).toEqual(['4096', '16384', '16384', '65536'])
    expect(await attribute(disk, 'serial')).toBe('large-blocks-20-char')
    await verifyWithFio(guest, disk, 1, [16])
  })

  // Secure erase is not among it: the list of ranges stands where a device cannot read it, as Linux 6.12 has it.
  it.each(['--zeroout', '--force'])('lose what was in a part of them with blkdiscard %s', async how => {
    const disk = await findDisk(guest, 'large-blocks-20-char')
    await guest.check(`tr '\\0' x </dev/zero | dd of=${disk.path} bs=64k count=32 iflag=fullblock oflag=direct`)
    await guest.check(`blkdiscard ${how} --offset 64k --length 1m ${disk.path} && sync`)
    const bytes = (await readFile(fileOf('large-blocks-20-char'))).subarray(0, 2 * MIB)
    const [start, end] = [MIB / 16, MIB * 17 / 16]
    expect(bytes.subarray(start, end).every(byte => byte === 0)).toBe(true)
    const kept = [...bytes.subarray(0, start), ...bytes.subarray(end)]
    expect(kept.every(byte => byte === 0x78)).toBe(true)
  })

  it('are polled where their notifications are memory', async () => {
    await verifyWithFio(guest, await findDisk(guest, 'polled'), cpus, [1, 64])
  })

  it('are zoned', async () => {
    const disk = await findDisk(guest, 'zoned')
    expect(await attribute(disk, 'queue/zoned')).toBe('host-managed')
    expect(await attribute(disk, 'queue/nr_zones')).toBe('8')
    const job = `--name=zones --filename=${disk.path} --zonemode=zbd --direct=1 --ioengine=libaio --iodepth=8`
    await guest.check(`fio ${job} --rw=write --bs=64k --offset=8m --size=24m --verify=crc32c --verify_fatal=1`)
    // Behind the write pointer nothing can be written again.
    expect(await guest.run(`dd if=/dev/zero of=${disk.path} bs=4k count=1 seek=2k oflag=direct`))
      .not.toMatchObject({ status: 0 })
    await guest.check(`dd if=/dev/zero of=${disk.path} bs=4k count=1 oflag=direct`)
  })

  it('hold a file system, and give back what it does not need', async () => {
    const disk = await findDisk(guest, 'files')
    const digest = await makeFileSystem(guest, disk)
    await checkFileSystem(guest, disk, digest)
    await guest.check(`mount -t ext4 ${disk.path} /mnt && dd if=/dev/urandom of=/mnt/more bs=1M count=24 && sync`)
    const full = (await stat(fileOf('files'))).blocks * sectorBytes
    await guest.check('rm /mnt/more && sync && fstrim -v /mnt && umount /mnt')
    const trimmed = (await stat(fileOf('files'))).blocks * sectorBytes
    expect(full - trimmed).toBeGreaterThan(20 * MIB)
    await checkFileSystem(guest, disk, digest)
  })

  it('become larger while they are used', async () => {
    const disk = await findDisk(guest, 'files')
    const digest = await makeFileSystem(guest, disk)
    await guest.check(`mount -t ext4 ${disk.path} /mnt`)
    const larger = 160 * MIB
    await truncate(fileOf('files'), larger)
    await guest.check(
      `until [ "$(cat /sys/block/${disk.path.slice(5)}/size)" = ${larger / sectorBytes} ]; do sleep 0.1; done`
    )
    // More than the disk had before.
    const write = "tr '\\0' x </dev/zero | dd of=/mnt/more bs=1M count=100 iflag=fullblock"
    await guest.check(`resize2fs ${disk.path} && ${write} && umount /mnt`)
    await checkFileSystem(guest, disk, digest)
  })

  it('leave a machine and a process that end as they should', async () => {
    expect(await guest.powerOff()).toMatchObject({ status: 0 })
    expect(await device.stop()).toBe(0)
  })
})
