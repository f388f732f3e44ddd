import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHost } from '@pcikit/core/host'
import dma from '@pcikit/dma'
import socket from '@pcikit/transport-socket'
import type { VirtioSample } from '@pcikit/testkit'
import rng from '../src/index.js'

/** Minutes: what waits for memory must not give up before it is back, on a slow machine either. */
const GRACE_MS = 600_000
const UNWRITTEN = 0xee

/** A served entropy device. */
export interface ServedRng {
  readonly path: string
  close(): Promise<void>
}

/** Serves an entropy device in this process, on a socket in a fresh folder. */
export async function serveRng (options: Record<string, unknown> = {}): Promise<ServedRng> {
  const folder = mkdtempSync(join(tmpdir(), 'pcikit-rng-'))
  const path = join(folder, 'rng.sock')
  const host = createHost({ plugins: [socket, dma, rng] })
  await host.createDevice({
    type: 'virtio-rng',
    options: { graceMs: GRACE_MS, ...options },
    transport: { type: 'socket', options: { path } }
  })
  return {
    path,
    close: async () => {
      await host.close()
      rmSync(folder, { recursive: true })
    }
  }
}

/** A buffer to fill. */
export function sampleEntropy (byteLength = 64): VirtioSample {
  return {
    writableBytes: byteLength,
    check: (answer, written) => {
      if (written !== byteLength) throw new Error(`The device says that it wrote ${written} of ${byteLength} bytes.`)
      if (answer.every(byte => byte === UNWRITTEN)) throw new Error('The device wrote nothing.')
    }
  }
}
