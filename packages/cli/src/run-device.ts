import type { Plugin } from '@pcikit/core'
import { createHost } from '@pcikit/core/host'
import type { Choice } from '@pcikit/core/host'
import { createLogger } from './command-logger.js'
import type { LoggerOptions } from './command-logger.js'
import { keepRecord } from './keep-record.js'
import { qemuCommand } from './qemu-command.js'

/** What `pcikit run` was asked for. */
export interface RunRequest {
  readonly type: string
  readonly socket: string
  /** The mode of the socket file. */
  readonly socketMode: number
  readonly logger: LoggerOptions
  /** Where to stream the record of maps, unmaps, resets and faults, as JSON lines. */
  readonly recordFile?: string
  /** By when an unmap or a reset is answered, where it is not the DMA manager's own default. */
  readonly unmapDeadlineMs?: number
  /** The device's own options, not parsed yet. */
  readonly options: Readonly<Record<string, unknown>>
}

/** Serves a device until SIGINT or SIGTERM, then closes it in order. */
export async function runDevice (request: RunRequest, plugins: readonly Plugin[]): Promise<void> {
  const stopped = awaitStop()
  const logger = createLogger(request.logger)
  const host = createHost({ plugins, logger })
  const recording = keepRecord(host.record, request.recordFile)
  try {
    const device = await host.createDevice({
      type: request.type,
      options: request.options,
      ...(request.unmapDeadlineMs === undefined ? {} : { dma: deadline(request.unmapDeadlineMs) }),
      transport: { type: 'socket', options: { path: request.socket, mode: request.socketMode } }
    })
    logger.info({ device: device.name, address: device.address }, `serving ${device.type} on ${device.address}`)
    process.stdout.write(
      `Attach it to a virtual machine with QEMU 10.1 or later:\n\n${qemuCommand(request.socket)}\n\n` +
        'Add the disk or kernel of your guest to that line. Ctrl-C here stops the device.\n'
    )
    logger.info({}, `${await stopped}: closing`)
  } finally {
    await host.close()
    recording.close()
  }
}

function deadline (unmapDeadlineMs: number): Choice {
  return { type: 'mapped', options: { unmapDeadlineMs } }
}

/** Resolves with the signal's name. From now on the first signal does not end the process, a second one does. */
function awaitStop (): Promise<string> {
  return new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(signal))
  })
}
