// A Debian kernel and the entropy device of examples/, served by this process.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHost } from '@pcikit/core/host'
import type { Host } from '@pcikit/core/host'
import dma from '@pcikit/dma'
import { bootGuest, ensureVm } from '@pcikit/testkit/vm'
import socket from '@pcikit/transport-socket'
import rng from 'pcikit-device-virtio-rng'

const vm = await ensureVm()

describe('a virtio entropy device', () => {
  let folder: string
  let host: Host

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pcikit-rng-'))
    host = createHost({ plugins: [socket, dma, rng] })
    await host.createDevice({ type: 'virtio-rng', transport: { type: 'socket', options: { path: join(folder, 's') } } })
  })

  afterAll(async () => {
    await host.close()
    await rm(folder, { recursive: true })
  })

  it('is /dev/hwrng of the guest', async () => {
    await using guest = await bootGuest(vm, { vfioUserSockets: [join(folder, 's')] })
    await guest.ready()
    expect(await guest.check('cat /sys/class/misc/hw_random/rng_current')).toMatch(/^virtio_rng\.\d+\n$/)
    const read = 'dd if=/dev/hwrng bs=4096 count=16 iflag=fullblock 2>/dev/null'
    const [size, first, second] = [
      await guest.check(`${read} | wc -c`),
      await guest.check(`${read} | sha256sum`),
      await guest.check(`${read} | sha256sum`)
    ]
    expect(size.trim()).toBe('65536')
    expect(first).not.toBe(second)
    expect(await guest.powerOff()).toMatchObject({ status: 0 })
  })
})
