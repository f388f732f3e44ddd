// What a guest does with a disk, whoever serves it.
import { expect } from 'vitest'
import type { Guest } from '@pcikit/testkit/vm'

/** A disk as the guest knows it. */
export interface GuestDisk {
  /** Such as `/dev/nvme0n1` or `/dev/vda`. */
  readonly path: string
  /** What the kernel calls the device that it is a disk of, such as `nvme0` or `virtio1`. */
  readonly controller: string
  /** Where that is on the PCI bus, such as `0000:01:00.0`. */
  readonly address: string
}

/** Part of what fio reports for a job. */
interface FioJob {
  readonly jobname: string
  readonly error: number
  readonly read: { readonly io_bytes: number }
  readonly write: { readonly io_bytes: number }
}

const MIB = 1024 * 1024
const QUEUE_DEPTHS = [1, 4, 16, 64]
const BYTES_PER_JOB = 2 * MIB

/** What the kernel has of the serial number of every disk. That of virtio has no newline after it. */
const serials = '/sys/block/*/device/serial /sys/block/*/serial'

/** Waits until the guest has found a disk. */
export async function waitForDisk (guest: Guest, serial: string): Promise<void> {
  await guest.check(`until [ -n "$(grep -slw '${serial}' ${serials})" ]; do sleep 0.1; done`)
}

/** Finds a disk by its serial number: the kernel may name it otherwise after every boot. */
export async function findDisk (guest: Guest, serial: string): Promise<GuestDisk> {
  // The device of an NVMe disk is the subsystem, where the kernel looks for several paths to it.
  const found = await guest.check([
    `disk=$(grep -slw '${serial}' ${serials} | cut -d / -f 4)`,
    `controller=$(grep -slw '${serial}' /sys/class/nvme/nvme*/serial) || controller=/sys/block/$disk/device/serial`,
    'readlink -f "${controller%/serial}" && echo $disk'
  ].join('\n'))
  const [, address, controller, disk] = /.*\/([0-9a-f:]+\.[0-7])\/(?:.*\/)?(\w+)\n(\w+)\n$/.exec(found) ?? []
  if (address === undefined || controller === undefined || disk === undefined) {
    throw new Error(`The guest has no disk with the serial number ${serial}.`)
  }
  return { path: `/dev/${disk}`, controller, address }
}

/**
 * Has fio write and verify at several queue depths, from as many jobs at once as there are processors: on one disk, or
 * on several at the same time.
 */
export async function verifyWithFio (
  guest: Guest,
  disks: GuestDisk | readonly GuestDisk[],
  cpus: number,
  depths: readonly number[] = QUEUE_DEPTHS
): Promise<void> {
  const paths = [disks].flat().map(disk => disk.path)
  const jobs = depths.flatMap((depth, round) =>
    paths.map((path, index) =>
      `--name=depth${depth} ${index === 0 ? '--stonewall' : ''} --iodepth=${depth} --filename=${path} ` +
      `--offset=${round * cpus * BYTES_PER_JOB}`
    )
  )
  const text = await guest.check([
    'fio --output-format=json --ioengine=libaio --direct=1 --rw=randwrite --bsrange=4k-64k --verify=crc32c',
    `--verify_fatal=1 --numjobs=${cpus} --cpus_allowed_policy=split --cpus_allowed=0-${cpus - 1}`,
    `--thread --size=${BYTES_PER_JOB} --offset_increment=${BYTES_PER_JOB}`,
    ...jobs
  ].join(' '))
  const report = JSON.parse(text.slice(text.indexOf('{'))) as { jobs: FioJob[] }
  expect(report.jobs).toHaveLength(jobs.length * cpus)
  for (const { jobname, error, read, write } of report.jobs) {
    expect({ jobname, error, verified: read.io_bytes, written: write.io_bytes })
      .toEqual({ jobname, error: 0, verified: BYTES_PER_JOB, written: BYTES_PER_JOB })
  }
}

/** How many interrupts each I/O queue of a controller has raised, all processors together. */
export async function queueInterrupts (guest: Guest, disk: GuestDisk): Promise<number[]> {
  const lines = await guest.check(`grep -E '${disk.controller}(q[1-9]|-req)' /proc/interrupts`)
  return lines.trim().split('\n').map(line => {
    const counts = line.trim().split(/\s+/).slice(1).filter(word => /^\d+$/.test(word))
    return counts.reduce((sum, count) => sum + Number(count), 0)
  })
}

/** Makes a file system with a file, and returns the file's digest. The file system is mounted on `/mnt` no more. */
export async function makeFileSystem (guest: Guest, disk: GuestDisk): Promise<string> {
  await guest.check(`mkfs.ext4 -q -F ${disk.path} 64m && mount -t ext4 ${disk.path} /mnt`)
  const digest = await guest.check(
    'dd if=/dev/urandom of=/mnt/file bs=64k count=64 2>/dev/null && sha256sum </mnt/file'
  )
  await guest.check('umount /mnt')
  return digest
}

/** Checks the file system and the file that {@link makeFileSystem} made. Nothing of it is in the guest's caches. */
export async function checkFileSystem (guest: Guest, disk: GuestDisk, digest: string): Promise<void> {
  await guest.check(`echo 3 >/proc/sys/vm/drop_caches; e2fsck -fn ${disk.path}`)
  const found = await guest.check(`mount -t ext4 ${disk.path} /mnt && sha256sum </mnt/file && umount /mnt`)
  expect(found).toBe(digest)
}

/** What nvme-cli says of a controller and of its health. */
export async function readIdentity (
  guest: Guest,
  disk: GuestDisk
): Promise<{ controller: Record<string, unknown>, health: Record<string, unknown>, list: string }> {
  const parse = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>
  return {
    controller: parse(await guest.check(`nvme id-ctrl /dev/${disk.controller} -o json`)),
    health: parse(await guest.check(`nvme smart-log /dev/${disk.controller} -o json`)),
    list: await guest.check('nvme list')
  }
}
