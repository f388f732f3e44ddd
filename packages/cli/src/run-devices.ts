import { PcikitError } from '@pcikit/core'
import type { Logger, Plugin } from '@pcikit/core'
import { createHost } from '@pcikit/core/host'
import type { DeviceOptions, Host, HostedDevice } from '@pcikit/core/host'
import { createLogger } from './command-logger.js'
import type { LoggerOptions } from './command-logger.js'
import { keepRecord } from './keep-record.js'
import type { RecordOutput } from './keep-record.js'
import { qemuCommand, qemuDevice } from './qemu-command.js'

/** A device to serve. */
export interface DeviceRequest {
  readonly type: string
  /** What it is called in logs and records; its type unless given. */
  readonly name?: string
  /** Where it was asked for, as `file:line:column`, if in a file. */
  readonly source?: string
  readonly socket: string
  /** The mode of the socket file. */
  readonly socketMode: number
  /** By when an unmap or a reset is answered, where it is not the DMA manager's own default. */
  readonly unmapDeadlineMs?: number
  /** The device's own options, not parsed yet. */
  readonly options: Readonly<Record<string, unknown>>
}

/** What `pcikit run` or `pcikit serve` was asked for. */
export interface RunRequest {
  /** Started in this order. */
  readonly devices: readonly DeviceRequest[]
  readonly logger: LoggerOptions
  /** Where to stream the record of maps, unmaps, resets and faults, as JSON lines. */
  readonly records: readonly RecordOutput[]
  /** Where relative paths in options start; where the command was called unless given. */
  readonly folder?: string
}

/** Serves devices until SIGINT or SIGTERM, then closes them in order. If one does not start, none is served. */
export async function runDevices (request: RunRequest, plugins: readonly Plugin[]): Promise<void> {
  await serveUntilStopped(request, plugins, async (host, logger) => {
    for (const device of request.devices) await startDevice(host, device, logger)
    const [only] = request.devices
    return only !== undefined && request.devices.length === 1 ? describeDevice(only) : describeAll(host.devices)
  })
}

/** Makes a host, has `start` start devices, prints what it returns, and closes all of it after SIGINT or SIGTERM. */
export async function serveUntilStopped (
  request: RunRequest,
  plugins: readonly Plugin[],
  start: (host: Host, logger: Logger) => Promise<string>
): Promise<void> {
  const stopped = awaitStop()
  if (request.folder !== undefined) process.chdir(request.folder)
  const logger = createLogger(request.logger)
  const host = createHost({ plugins, logger })
  const recording = keepRecord(host.record, request.records)
  try {
    process.stdout.write(await start(host, logger))
    logger.info({}, `${await stopped}: closing`)
  } finally {
    await host.close()
    recording.close()
  }
}

/** A device as a host is asked for it. */
export function hostDeviceOptions (request: DeviceRequest): DeviceOptions {
  const { type, name, options, socket, socketMode, unmapDeadlineMs } = request
  return {
    type,
    options,
    ...(name === undefined ? {} : { name }),
    ...(unmapDeadlineMs === undefined ? {} : { dma: { type: 'mapped', options: { unmapDeadlineMs } } }),
    transport: { type: 'socket', options: { path: socket, mode: socketMode } }
  }
}

async function startDevice (host: Host, request: DeviceRequest, logger: Logger): Promise<void> {
  const { type, name, source } = request
  try {
    const device = await host.createDevice(hostDeviceOptions(request))
    logger.info({ device: device.name, address: device.address }, `serving ${device.type} on ${device.address}`)
  } catch (cause) {
    if (source === undefined) throw cause
    throw new PcikitError(
      'PCIKIT_CONFIG_DEVICE_FAILED',
      `The device ${name ?? type} (${source}) did not start, so none is served.`,
      { cause, details: { device: name, source } }
    )
  }
}

/** How a device is attached. */
export function describeDevice ({ socket }: DeviceRequest): string {
  return `Attach it to a virtual machine with QEMU 10.1 or later:\n\n${qemuCommand([socket])}\n\n` +
    'Add the disk or kernel of your guest to that line. Ctrl-C here stops the device.\n'
}

function describeAll (devices: readonly HostedDevice[]): string {
  const lines = devices.map(({ name, type, address }) => `${name}: ${type} on ${address}\n  ${qemuDevice(address)}\n`)
  return `${lines.join('')}\nAttach each to a virtual machine with QEMU 10.1 or later, or all to one:\n\n` +
    `${qemuCommand(devices.map(each => each.address))}\n\n` +
    'Add the disk or kernel of your guest to that line. Ctrl-C here stops the devices.\n'
}

/** Resolves with the signal's name. From now on the first signal does not end the process, a second one does. */
function awaitStop (): Promise<string> {
  return new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(signal))
  })
}
