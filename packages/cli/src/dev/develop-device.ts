import type { Plugin } from '@pcikit/core'
import { describeDevice, hostDeviceOptions, serveUntilStopped } from '../run-devices.js'
import type { DeviceRequest, RunRequest } from '../run-devices.js'
import { DevSession } from './dev-session.js'
import type { Builds } from './plugin-workshop.js'

/** What `pcikit dev` was asked for. */
export interface DevRequest extends Pick<RunRequest, 'logger' | 'records'> {
  readonly device: DeviceRequest
}

/** Serves a device until SIGINT or SIGTERM, and swaps in each build of its plugin meanwhile. */
export async function developDevice (
  request: DevRequest,
  plugins: readonly Plugin[],
  builds: Builds
): Promise<void> {
  const cleanUp: (() => void)[] = []
  try {
    await serveUntilStopped({ ...request, devices: [request.device] }, plugins, async host => {
      const device = await host.createDevice({ ...hostDeviceOptions(request.device), swappable: true })
      // Code under development throws where nobody catches it: the guest, and whoever writes it, go on all the same.
      const takeOffBus = (error: unknown): void => device.takeOffBus(error)
      for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
        process.on(event, takeOffBus)
        cleanUp.push(() => void process.off(event, takeOffBus))
      }
      const session = new DevSession(device, host.record, {
        say: text => void process.stdout.write(text),
        complain: text => void process.stderr.write(text)
      })
      builds.follow(build => session.take(build))
      return `${describeDevice(request.device)}` +
        'Save a file of the plugin, and the device goes on with its new code, whether a guest uses it or not.\n'
    })
  } finally {
    for (const each of cleanUp) each()
  }
}
