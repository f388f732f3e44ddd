import { contribute, createToken, definePlugin, DEVICE, PLUGIN_API_VERSION, SERVICE } from '@pcikit/core'
import type { PcikitError, Plugin } from '@pcikit/core'
import { createHost } from '@pcikit/core/host'
import { describe, expect, it } from 'vitest'
import { fakePlugin, Journal, schema } from './fakes.js'

const transport = { type: 'fake' }
const explode = (message: string): never => {
  throw new Error(message)
}
const code = (value: string): unknown => expect.objectContaining({ code: value })

describe('createHost', () => {
  it('refuses something that is no plugin', () => {
    expect(() => createHost({ plugins: [{ name: 'x', api: 1, contributes: [] } as never] }))
      .toThrowError(code('PCIKIT_PLUGIN_INVALID'))
  })

  it('refuses a plugin of another API version and names both', () => {
    const plugin = definePlugin({ name: 'old-plugin', api: PLUGIN_API_VERSION + 1, contributes: [] })
    expect(() => createHost({ plugins: [plugin] })).toThrowError(
      expect.objectContaining({
        code: 'PCIKIT_PLUGIN_API_VERSION_MISMATCH',
        message: expect.stringMatching(/old-plugin.*version 2.*version 1/)
      })
    )
  })

  it('refuses a plugin that is listed twice', () => {
    const { plugin } = fakePlugin(new Journal())
    expect(() => createHost({ plugins: [plugin, plugin] })).toThrowError(code('PCIKIT_PLUGIN_DUPLICATE'))
  })

  it('refuses a second owner of a device type and names both', () => {
    const first = fakePlugin(new Journal(), {}, 'first').plugin
    const second = fakePlugin(new Journal(), {}, 'second').plugin
    expect(() => createHost({ plugins: [first, second] })).toThrowError(
      expect.objectContaining({
        code: 'PCIKIT_EXTENSION_DUPLICATE',
        details: expect.objectContaining({ owners: ['first', 'second'] })
      })
    )
  })

  it('takes nothing of a plugin that does not fit', () => {
    const first = fakePlugin(new Journal(), {}, 'first').plugin
    const broken: Plugin = definePlugin({
      name: 'broken',
      api: PLUGIN_API_VERSION,
      contributes: [contribute(DEVICE, { name: 'Bad Name', summary: '', options: schema(), provider: null as never })]
    })
    expect(() => createHost({ plugins: [first, broken] })).toThrowError(code('PCIKIT_PLUGIN_INVALID'))
  })

  it.each([
    ['that is not there', { provider: undefined }, /cannot be built/],
    ['that is no provider', { provider: {} }, /cannot be built/],
    ['with options that are no schema', { options: {} }, /`options` are no schema/]
  ])('refuses a device type with a provider %s', (_, parts, message) => {
    const value = {
      name: 'odd',
      summary: '',
      options: schema(),
      provider: { useFactory: () => null as never },
      ...parts
    }
    const odd = definePlugin({
      name: 'odd-plugin',
      api: PLUGIN_API_VERSION,
      contributes: [contribute(DEVICE, value as never)]
    })
    expect(() => createHost({ plugins: [odd] })).toThrowError(
      expect.objectContaining({ code: 'PCIKIT_PLUGIN_INVALID', message: expect.stringMatching(message) })
    )
  })

  it('goes on without those that it refuses, when it is told what to do with them', async () => {
    const parts = fakePlugin(new Journal())
    const rival = fakePlugin(new Journal(), {}, 'rival').plugin
    const old = definePlugin({ name: 'old', api: 0, contributes: [] })
    const throwing = { ...definePlugin({ name: 'throwing', api: PLUGIN_API_VERSION, contributes: [] }) }
    Object.defineProperty(throwing, 'contributes', { get: () => explode('registered') })
    const refused: [string, string][] = []
    await using host = createHost({
      plugins: [old, throwing, parts.plugin, rival],
      onRefusal: (plugin, error) => refused.push([plugin.name, error.code])
    })
    expect(refused).toEqual([
      ['old', 'PCIKIT_PLUGIN_API_VERSION_MISMATCH'],
      ['throwing', 'PCIKIT_PLUGIN_INVALID'],
      ['rival', 'PCIKIT_EXTENSION_DUPLICATE']
    ])
    expect(host.plugins).toEqual(['fake-plugin'])
    await expect(host.createDevice({ type: 'fake', transport })).resolves.toMatchObject({ name: 'fake' })
  })

  it('names the plugin whose service throws, and can do without', async () => {
    const CLOCK = createToken<unknown>('@pcikit/core/test/broken-clock')
    const provider = { useFactory: () => explode('built') }
    const service = { name: 'clock', summary: 'breaks', token: CLOCK, provider }
    const clock = definePlugin({
      name: 'clock-plugin',
      api: PLUGIN_API_VERSION,
      contributes: [contribute(SERVICE, service)]
    })
    const refused: PcikitError[] = []
    const expected = {
      code: 'PCIKIT_PLUGIN_INVALID',
      message: expect.stringMatching(/'clock' of clock-plugin threw when it was built/),
      cause: expect.objectContaining({ message: 'built' })
    }
    expect(() => createHost({ plugins: [clock] })).toThrowError(expect.objectContaining(expected))
    await using host = createHost({
      plugins: [clock, fakePlugin(new Journal()).plugin],
      onRefusal: (_, error) => refused.push(error)
    })
    expect(refused).toMatchObject([expected])
    await expect(host.createDevice({ type: 'fake', transport })).resolves.toMatchObject({ name: 'fake' })
  })

  it('gives every device the services that plugins contribute', async () => {
    const CLOCK = createToken<{ now: number }>('@pcikit/core/test/clock')
    const clock = definePlugin({
      name: 'clock',
      api: PLUGIN_API_VERSION,
      contributes: [
        contribute(SERVICE, {
          name: 'clock',
          summary: 'tells the time',
          token: CLOCK,
          provider: { useFactory: () => ({ now: 42 }) }
        })
      ]
    })
    let seen = 0
    const parts = fakePlugin(new Journal())
    const reader = definePlugin({
      name: 'reader',
      api: PLUGIN_API_VERSION,
      contributes: [
        contribute(DEVICE, {
          name: 'reader',
          summary: 'reads the clock',
          options: schema(),
          provider: {
            useFactory: container => {
              seen = container.resolve(CLOCK).now
              return { function: {} as never, close: async () => undefined }
            }
          }
        })
      ]
    })
    await using host = createHost({ plugins: [clock, parts.plugin, reader] })
    await host.createDevice({ type: 'reader', transport })
    expect(seen).toBe(42)
  })
})

describe('a host', () => {
  it('starts a device before it is served, and closes from the outside in', async () => {
    const journal = new Journal()
    const host = createHost({ plugins: [fakePlugin(journal).plugin] })
    const device = await host.createDevice({ type: 'fake', transport })
    expect(device).toMatchObject({ name: 'fake', type: 'fake', address: 'nowhere' })
    await host.close()
    expect(journal.entries).toEqual(['start', 'listen', 'transport closed', 'device closed', 'dma closed'])
  })

  it('passes a device its own options', async () => {
    const parts = fakePlugin(new Journal())
    await using host = createHost({ plugins: [parts.plugin] })
    await host.createDevice({ type: 'fake', options: { serial: 'A' }, transport })
    await host.createDevice({ type: 'fake', options: { serial: 'B' }, transport })
    expect(parts.options).toEqual([{ serial: 'A' }, { serial: 'B' }])
    expect(host.devices.map(each => each.name)).toEqual(['fake', 'fake-2'])
  })

  it('lists what there is when a device type is unknown', async () => {
    await using host = createHost({ plugins: [fakePlugin(new Journal()).plugin] })
    await expect(host.createDevice({ type: 'nope', transport })).rejects.toMatchObject({
      code: 'PCIKIT_EXTENSION_NOT_FOUND',
      message: expect.stringContaining('There is: fake')
    })
  })

  it('says which option is wrong', async () => {
    const plugin = definePlugin({
      name: 'strict',
      api: PLUGIN_API_VERSION,
      contributes: [
        contribute(DEVICE, {
          name: 'strict',
          summary: 'refuses',
          options: schema({ message: 'must be a number', path: ['queues'] }),
          provider: { useFactory: () => ({}) as never }
        })
      ]
    })
    await using host = createHost({ plugins: [fakePlugin(new Journal()).plugin, plugin] })
    await expect(host.createDevice({ type: 'strict', transport })).rejects.toMatchObject({
      code: 'PCIKIT_OPTION_INVALID',
      message: expect.stringContaining('queues: must be a number')
    })
  })

  it('refuses a second device of the same name, and takes the name again after a close', async () => {
    await using host = createHost({ plugins: [fakePlugin(new Journal()).plugin] })
    const device = await host.createDevice({ type: 'fake', name: 'disk', transport })
    await expect(host.createDevice({ type: 'fake', name: 'disk', transport }))
      .rejects.toMatchObject({ code: 'PCIKIT_DEVICE_NAME_DUPLICATE' })
    await device.close()
    await expect(host.createDevice({ type: 'fake', name: 'disk', transport })).resolves.toMatchObject({ name: 'disk' })
  })

  it('closes what it built when a device fails to start', async () => {
    const journal = new Journal()
    const failing = { start: () => Promise.reject(new Error('no disk')) }
    await using host = createHost({ plugins: [fakePlugin(journal, failing).plugin] })
    await expect(host.createDevice({ type: 'fake', transport })).rejects.toMatchObject({
      code: 'PCIKIT_DEVICE_FAILED',
      message: expect.stringMatching(/'fake' of fake-plugin threw when it was started/),
      cause: { message: 'no disk' }
    })
    expect(journal.entries).toEqual(['device closed', 'dma closed'])
    expect(host.devices).toEqual([])
  })

  it('refuses to create devices once closed', async () => {
    const host = createHost({ plugins: [fakePlugin(new Journal()).plugin] })
    await host.close()
    await expect(host.createDevice({ type: 'fake', transport })).rejects.toMatchObject({ code: 'PCIKIT_HOST_CLOSED' })
  })
})

describe('the endpoint of a device', () => {
  it('takes interrupts and memory away when the client goes, and then takes the next', async () => {
    const journal = new Journal()
    const parts = fakePlugin(journal)
    await using host = createHost({ plugins: [parts.plugin] })
    await host.createDevice({ type: 'fake', transport })
    const endpoint = parts.transports[0]?.endpoint
    const connection = endpoint?.connect()
    expect(() => endpoint?.connect()).toThrowError(expect.objectContaining({ errno: 16 }))
    await connection?.close()
    await connection?.close()
    expect(journal.entries.slice(2)).toEqual(['release', 'port off', 'unmap all', 'client gone'])
    expect(host.record.entries()).toMatchObject([
      { sequence: 1, device: 'fake', type: 'client', connected: true },
      { sequence: 2, device: 'fake', type: 'client', connected: false }
    ])
    await endpoint?.connect().close()
    expect(journal.entries.slice(6)).toEqual(['release', 'port off', 'unmap all', 'client gone'])
  })

  it('takes everything of the client away, whatever the device throws meanwhile', async () => {
    const journal = new Journal()
    const interrupts = { release: () => explode('release') }
    const parts = fakePlugin(journal, {
      function: { interrupts } as never,
      clientGone: () => explode('client gone')
    })
    await using host = createHost({ plugins: [parts.plugin] })
    await host.createDevice({ type: 'fake', transport })
    const endpoint = parts.transports[0]?.endpoint
    await expect(endpoint?.connect().close()).rejects.toMatchObject({ code: 'PCIKIT_CLOSE_FAILED' })
    expect(journal.entries.slice(2)).toEqual(['port off', 'unmap all'])
    await expect(endpoint?.connect().close()).rejects.toMatchObject({ code: 'PCIKIT_CLOSE_FAILED' })
  })

  it('takes a device off the bus and away from memory when it breaks', async () => {
    const journal = new Journal()
    const parts = fakePlugin(journal, { function: { interrupts: {}, writeRegion: () => explode('boom') } as never })
    await using host = createHost({ plugins: [parts.plugin] })
    await host.createDevice({ type: 'fake', transport })
    const pci = parts.transports[0]?.endpoint?.function
    const view = new DataView(new ArrayBuffer(2))
    await pci?.writeRegion(0, 0, view, 0, 2)
    await pci?.readRegion(0, 0, view, 0, 2)
    expect(view.getUint16(0)).toBe(0xffff)
    expect(journal.entries.slice(2)).toEqual(['bus master false'])
  })

  it('lets the client go when the device closes', async () => {
    const journal = new Journal()
    const parts = fakePlugin(journal)
    const host = createHost({ plugins: [parts.plugin] })
    await host.createDevice({ type: 'fake', transport })
    parts.transports[0]?.endpoint?.connect()
    await host.close()
    expect(journal.entries.slice(2)).toEqual(
      ['transport closed', 'release', 'port off', 'unmap all', 'client gone', 'device closed', 'dma closed']
    )
  })
})
