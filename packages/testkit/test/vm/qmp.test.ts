import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { listenOnce } from '../../src/vm/incoming-socket.js'
import { QmpClient } from '../../src/vm/qmp.js'

const longMs = 60_000

/** QEMU's side: answers each command with what the function returns, and says whatever it is told to. */
async function connectFake (
  path: string,
  answer: (command: string) => Record<string, unknown> | undefined
): Promise<{ client: QmpClient, qemu: Socket, say: (...messages: unknown[]) => void }> {
  const incoming = await listenOnce(path)
  const qemu = connect(path)
  const say = (...messages: unknown[]): void => {
    qemu.write(messages.map(message => `${JSON.stringify(message)}\r\n`).join(''))
  }
  say({ QMP: { version: {}, capabilities: [] } })
  qemu.setEncoding('utf8').on('data', (text: string) => {
    for (const line of text.trim().split('\n')) {
      const { execute, id } = JSON.parse(line) as { execute: string, id: number }
      const reply = execute === 'qmp_capabilities' ? { return: {} } : answer(execute)
      if (reply !== undefined) say({ ...reply, id })
    }
  })
  return { client: await QmpClient.connect(await incoming.connection), qemu, say }
}

describe('QmpClient', () => {
  let folder: string
  let path: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pcikit-qmp-'))
    path = join(folder, 'qmp')
  })

  afterEach(async () => {
    await rm(folder, { recursive: true })
  })

  it('returns results and passes on refusals', async () => {
    const { client, qemu } = await connectFake(
      path,
      command =>
        command === 'query-status' ?
          { return: { running: true } } :
          { error: { class: 'GenericError', desc: 'no such' } }
    )
    expect(await client.execute('query-status')).toEqual({ running: true })
    await expect(client.execute('nonsense')).rejects.toThrow('QEMU refused nonsense: no such')
    qemu.destroy()
  })

  it('waits for the event that is meant', async () => {
    const { client, qemu, say } = await connectFake(path, () => undefined)
    const waiting = client.waitForEvent('DEVICE_DELETED', longMs, ({ data }) => data['device'] === 'disk1')
    say({ event: 'RESET' }, { event: 'DEVICE_DELETED', data: { device: 'disk0' } })
    say({ event: 'DEVICE_DELETED', data: { device: 'disk1' } })
    expect((await waiting).data).toEqual({ device: 'disk1' })
    qemu.destroy()
  })

  it('fails what waits when QEMU ends', async () => {
    const { client, qemu } = await connectFake(path, () => undefined)
    const command = expect(client.execute('query-status')).rejects.toThrow('ended before it answered query-status')
    const event = expect(client.waitForEvent('RESET', longMs)).rejects.toThrow('ended while something waited')
    qemu.end()
    await Promise.all([command, event, once(qemu, 'close')])
    await expect(client.execute('quit')).rejects.toThrow('QEMU is gone')
  })

  it('does not wait for ever', async () => {
    const { client, qemu } = await connectFake(path, () => undefined)
    await expect(client.waitForEvent('RESET', 1)).rejects.toThrow('did not report RESET within 1 ms')
    qemu.destroy()
  })
})
