// What a guest does with an NVMe disk, whoever serves it.
import { expect } from 'vitest'
import type { Guest } from '@pcikit/testkit/vm'

/** A disk as the guest knows it. */
export interface GuestDisk {
  /** Such as `/dev/nvme0n1`. */
  readonly path: string
  /** Such as `/dev/nvme0`. */
  readonly controller: string
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

/** Finds a disk by its serial number: the kernel may name it otherwise after every boot. */
export async function findDisk (guest: Guest, serial: string): Promise<GuestDisk> {
  const disks = await guest.check(`grep -lw '${serial}' /sys/block/nvme*n1/device/serial`)
  const controllers = await guest.check(`grep -lw '${serial}' /sys/class/nvme/nvme*/serial`)
  const nameIn = (paths: string, pattern: RegExp): string => {
    const name = pattern.exec(paths)?.[1]
    if (name === undefined) throw new Error(`The guest has no disk with the serial number ${serial}.`)
    return `/dev/${name}`
  }
  return { path: nameIn(disks, /\/block\/(\w+)\//), controller: nameIn(controllers, /\/nvme\/(\w+)\//) }
}

/** Has fio write and verify at several queue depths, from as many jobs at once as there are processors. */
export async function verifyWithFio (guest: Guest, disk: GuestDisk, cpus: number): Promise<void> {
  const jobs = QUEUE_DEPTHS.map((depth, index) =>
    `--name=depth${depth} --stonewall --iodepth=${depth} --offset=${index * cpus * BYTES_PER_JOB}`
  )
  const text = await guest.check([
    'fio --output-format=json --ioengine=libaio --direct=1 --rw=randwrite --bsrange=4k-64k --verify=crc32c',
    `--verify_fatal=1 --numjobs=${cpus} --cpus_allowed_policy=split --cpus_allowed=0-${cpus - 1}`,
    `--filename=${disk.path} --size=${BYTES_PER_JOB} --offset_increment=${BYTES_PER_JOB}`,
    ...jobs
  ].join(' '))
  const report = JSON.parse(text.slice(text.indexOf('{'))) as { jobs: FioJob[] }
  expect(report.jobs).toHaveLength(QUEUE_DEPTHS.length * cpus)
  for (const { jobname, error, read, write } of report.jobs) {
    expect({ jobname, error, verified: read.io_bytes, written: write.io_bytes })
      .toEqual({ jobname, error: 0, verified: BYTES_PER_JOB, written: BYTES_PER_JOB })
  }
}

/** How many interrupts each I/O queue of a controller has raised, all processors together. */
export async function queueInterrupts (guest: Guest, disk: GuestDisk): Promise<number[]> {
  const name = disk.controller.replace('/dev/', '')
  const lines = await guest.check(`grep -E '${name}q[1-9]' /proc/interrupts`)
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
    controller: parse(await guest.check(`nvme id-ctrl ${disk.controller} -o json`)),
    health: parse(await guest.check(`nvme smart-log ${disk.controller} -o json`)),
    list: await guest.check('nvme list')
  }
}
