import { closeDescriptor, createEventFd, createMemoryFile, describeDescriptor, UnixSocket } from '@pcikit/native'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { encodeVersion } from '../../src/vfio-user/capabilities.js'
import { encodeMessage } from '../../src/vfio-user/message.js'
import type { Message } from '../../src/vfio-user/message.js'
import { MessageStream } from '../../src/vfio-user/message-stream.js'
import { Command, HeaderFlags } from '../../src/vfio-user/protocol.js'
import { VfioUserClient } from '../../src/vfio-user/vfio-user-client.js'
import type { VfioUserClientOptions } from '../../src/vfio-user/vfio-user-client.js'
import { ScriptedServer } from './scripted-server.js'

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values)
const le32 = (...values: number[]): Uint8Array => new Uint8Array(new Uint32Array(values).buffer)
const le64 = (...values: bigint[]): Uint8Array => new Uint8Array(new BigUint64Array(values).buffer)
const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts))

let server: ScriptedServer
let client: VfioUserClient | undefined

beforeEach(() => {
  server = new ScriptedServer()
})

afterEach(() => {
  client?.close()
  client = undefined
  server.close()
})

async function attach (options: VfioUserClientOptions = {}): Promise<VfioUserClient> {
  client = await VfioUserClient.attach(server.client, { negotiate: false, timeoutMs: 0, ...options })
  return client
}

describe('VfioUserClient', () => {
  it('proposes what QEMU proposes', async () => {
    const attached = VfioUserClient.attach(server.client)
    const request = await server.next()
    const text = new TextDecoder().decode(request.payload.subarray(4))
    await server.reply(request, encodeVersion(0, 0, { max_msg_fds: 8 }))
    client = await attached
    expect(JSON.parse(text.replace('\0', ''))).toMatchObject({
      capabilities: { max_msg_fds: 16, max_data_xfer_size: 1048576, max_dma_maps: 65535, write_multiple: true }
    })
    expect(text.endsWith('\0')).toBe(true)
    expect(client.version).toEqual({ major: 0, minor: 0, capabilities: { max_msg_fds: 8 } })
  })

  it('sends a VERSION of four bytes when told to', async () => {
    const attached = VfioUserClient.attach(server.client, { capabilities: false })
    const request = await server.next()
    await server.reply(request, encodeVersion(0, 0, undefined))
    client = await attached
    expect(request.header.size).toBe(20)
    expect(client.version.capabilities).toBeUndefined()
  })

  it('refuses a version that it did not propose', async () => {
    const attached = VfioUserClient.attach(server.client)
    await server.reply(await server.next(), encodeVersion(0, 1, {}))
    await expect(attached).rejects.toMatchObject({ name: 'ConnectionError', reason: 'protocol' })
  })

  it('sends a DMA_MAP with its descriptor', async () => {
    const mapping = await attach()
    const descriptor = createMemoryFile('memory', 4096)
    const mapped = mapping.mapDma({ iova: 0x2000_0000_1000, byteLength: 4096, descriptor, fileOffset: 8192 })
    const request = await server.next()
    await server.reply(request)
    await mapped
    expect(request.payload).toEqual(
      join(le32(32, 3), le64(8192n, 0x2000_0000_1000n, 4096n))
    )
    expect(request.descriptors).toHaveLength(1)
    expect(describeDescriptor(request.descriptors[0]!).inode).toBe(describeDescriptor(descriptor).inode)
    closeDescriptor(descriptor)
    closeDescriptor(request.descriptors[0]!)
  })

  it('sends all 64 bits of an address', async () => {
    const mapping = await attach()
    void mapping.mapDma({ iova: 0xffff_ffff_ffff_f000n, byteLength: 0x2000n }).catch(() => undefined)
    const request = await server.next()
    expect(request.payload.subarray(16)).toEqual(le64(0xffff_ffff_ffff_f000n, 0x2000n))
  })

  it('asks for everything to be unmapped with flag 1, address 0 and size 0', async () => {
    const mapping = await attach()
    const unmapped = mapping.unmapAll()
    const request = await server.next()
    await server.reply(request, request.payload)
    await unmapped
    expect(request.payload).toEqual(join(le32(24, 2), le64(0n, 0n)))
  })

  it('asks for region information again when there is more of it', async () => {
    const asking = await attach()
    const asked = asking.getRegionInfo(0)
    const first = await server.next()
    await server.reply(first, join(le32(64, 0x7, 0, 0), le64(0x4000n, 0n)))
    const second = await server.next()
    const capability = join(new Uint8Array(new Uint16Array([1, 1]).buffer), le32(0, 1, 0), le64(0x1000n, 0x2000n))
    await server.reply(second, join(le32(64, 0xf, 0, 32), le64(0x4000n, 0x8000n), capability))
    const region = await asked
    expect([first.view.getUint32(0, true), second.view.getUint32(0, true)]).toEqual([32, 64])
    expect(region).toMatchObject({ byteLength: 0x4000, fileOffset: 0x8000, mappable: true })
    expect(region.areas).toEqual([{ offset: 0x1000, byteLength: 0x2000 }])
  })

  it('refuses capabilities of a region that never end', async () => {
    const asking = await attach()
    const asked = asking.getRegionInfo(0, 4096)
    const request = await server.next()
    const capability = join(new Uint8Array(new Uint16Array([7, 1]).buffer), le32(32))
    await server.reply(request, join(le32(40, 0xf, 0, 32), le64(0x4000n, 0n), capability))
    await expect(asked).rejects.toThrow(/never end/)
  })

  it('decodes the entries of GET_REGION_IO_FDS', async () => {
    const asking = await attach()
    const asked = asking.getRegionIoFds(0)
    const request = await server.next()
    const entry = join(le64(0x1000n, 4n), le32(0, 0, 1, 0), le64(0xffff_ffff_ffff_fffen))
    await server.reply(request, join(le32(56, 0, 0, 1), entry))
    const { entries, descriptors } = await asked
    expect(entries).toEqual([
      { offset: 0x1000, byteLength: 4, fdIndex: 0, type: 0, flags: 1, datamatch: 0xffff_ffff_ffff_fffen }
    ])
    expect(descriptors).toEqual([])
  })

  it('sends eventfds with a SET_IRQS', async () => {
    const setting = await attach()
    const descriptors = [createEventFd(), createEventFd()]
    const set = setting.setIrqs({ index: 2, start: 1, count: 2, action: 'trigger', data: { descriptors } })
    const request = await server.next()
    await server.reply(request)
    await set
    expect(request.payload).toEqual(le32(20, 0x24, 2, 1, 2))
    expect(request.descriptors).toHaveLength(2)
    for (const descriptor of [...descriptors, ...request.descriptors]) closeDescriptor(descriptor)
  })

  it('sends booleans with a SET_IRQS', async () => {
    const setting = await attach()
    const set = setting.setIrqs({ index: 0, count: 3, action: 'mask', data: [true, false, true] })
    const request = await server.next()
    await server.reply(request)
    await set
    expect(request.payload).toEqual(join(le32(23, 0x0a, 0, 0, 3), bytes(1, 0, 1)))
  })

  it('reads a region', async () => {
    const reading = await attach()
    const read = reading.readRegion(7, 4, 2)
    const request = await server.next()
    await server.reply(request, join(le64(4n), le32(7, 2), bytes(0x10, 0x20)))
    expect(await read).toEqual(bytes(0x10, 0x20))
    expect(request.payload).toEqual(join(le64(4n), le32(7, 2)))
  })

  it('asks for no reply to a posted write', async () => {
    const writing = await attach()
    await writing.writeRegion(0, 0x1000, bytes(5, 0, 0, 0), { posted: true })
    const request = await server.next()
    expect(request.header.flags).toBe(HeaderFlags.NO_REPLY)
    expect(request.payload).toEqual(join(le64(0x1000n), le32(0, 4), bytes(5, 0, 0, 0)))
  })

  it('packs small writes into a WRITE_MULTI', async () => {
    const writing = await attach()
    const written = writing.writeMulti([
      { region: 0, offset: 0x1000, data: bytes(1, 0, 0, 0) },
      { region: 7, offset: 4, data: bytes(6) }
    ])
    const request = await server.next()
    await server.reply(request, le64(2n))
    expect(await written).toBe(2)
    const first = join(le64(0x1000n), le32(0, 4), le64(1n))
    const second = join(le64(4n), le32(7, 1), le64(6n))
    expect(request.payload).toEqual(join(le64(2n), first, second))
  })

  it('sends feature data and returns that of the reply', async () => {
    const asking = await attach()
    const asked = asking.deviceFeature(2, 1 << 17, bytes(9))
    const request = await server.next()
    await server.reply(request, join(le32(9, (1 << 17) | 2), bytes(7)))
    expect(await asked).toEqual(bytes(7))
    expect(request.payload).toEqual(join(le32(4096, (1 << 17) | 2), bytes(9)))
  })

  it('matches pipelined requests with their replies', async () => {
    const reading = await attach()
    const reads = Promise.all([reading.readRegion(0, 0, 1), reading.readRegion(0, 1, 1)])
    const first = await server.next()
    const second = await server.next()
    await server.reply(first, join(le64(0n), le32(0, 1), bytes(0xaa)))
    await server.reply(second, join(le64(1n), le32(0, 1), bytes(0xbb)))
    expect(await reads).toEqual([bytes(0xaa), bytes(0xbb)])
  })

  it('ends the connection when replies change their order', async () => {
    const reading = await attach()
    const first = reading.readRegion(0, 0, 1)
    const second = reading.getInfo()
    const outcome = Promise.allSettled([first, second])
    await server.next()
    await server.reply(await server.next(), le32(16, 3, 9, 5))
    expect(await outcome).toMatchObject([
      { status: 'rejected', reason: { name: 'ConnectionError', reason: 'protocol' } },
      { status: 'rejected', reason: { name: 'ConnectionError' } }
    ])
  })

  it('rejects an error reply with its errno', async () => {
    const asking = await attach()
    const asked = asking.reset()
    await server.fail(await server.next(), 22)
    await expect(asked).rejects.toMatchObject({ name: 'VfioUserError', errno: 22, code: 'EINVAL', command: 13 })
  })

  it('does not accept an error reply that carries data', async () => {
    const asking = await attach()
    const asked = asking.reset()
    await server.fail(await server.next(), 22, bytes(1))
    await expect(asked).rejects.toMatchObject({ name: 'ConnectionError', reason: 'protocol' })
  })

  it('rejects what waits when the server goes', async () => {
    const asking = await attach()
    const asked = asking.getInfo()
    await server.next()
    server.close()
    await expect(asked).rejects.toMatchObject({ name: 'ConnectionError', reason: 'ended' })
    expect(asking.isOpen).toBe(false)
  })

  it('rejects a request that nobody answers in time', async () => {
    const asking = await attach({ timeoutMs: 1 })
    await expect(asking.getInfo()).rejects.toMatchObject({ name: 'ConnectionError', reason: 'timeout' })
  })

  it('puts together a reply that comes byte by byte', async () => {
    const reading = await attach()
    const read = reading.readRegion(0, 0, 4)
    const request = await server.next()
    const splitAt = Array.from({ length: 36 }, (_, at) => at)
    await server.reply(request, join(le64(0n), le32(0, 4), bytes(1, 2, 3, 4)), { splitAt })
    expect(await read).toEqual(bytes(1, 2, 3, 4))
  })

  it('writes in pieces cut where a test wants them', async () => {
    const [near, far] = UnixSocket.pair()
    const sending = await VfioUserClient.attach(far, { negotiate: false, timeoutMs: 0 })
    const received: number[] = []
    const buffer = new Uint8Array(64)
    const between = (): Promise<void> => {
      received.push(near.receive(buffer, 0, buffer.length))
      return Promise.resolve()
    }
    await sending.send(new Uint8Array(24), { splitAt: [1, 16], between })
    received.push(near.receive(buffer, 0, buffer.length))
    expect(received).toEqual([1, 15, 8])
    sending.close()
    near.close()
  })

  it('gives each message its own descriptors', async () => {
    const sending = await attach()
    const descriptor = createMemoryFile('memory', 4096)
    const message = encodeMessage({ command: 2, payload: new Uint8Array(32) })
    await sending.send(message)
    await sending.send(message, { descriptors: [descriptor] })
    await sending.send(message)
    const counts = [await server.next(), await server.next(), await server.next()].map(({ descriptors }) => {
      descriptors.forEach(closeDescriptor)
      return descriptors.length
    })
    expect(counts).toEqual([0, 1, 0])
    closeDescriptor(descriptor)
  })

  it('keeps replies to raw bytes for receive()', async () => {
    const sending = await attach()
    await sending.send(encodeMessage({ id: 77, command: 99 }))
    await server.fail(await server.next(), 38)
    const reply = await sending.receive()
    expect(reply.header).toMatchObject({ id: 77, command: 99, error: 38, flags: 0x21 })
  })
})

describe('VfioUserClient, asked for its memory', () => {
  const memory = {
    read: (iova: number, target: Uint8Array) => {
      target.fill(iova & 0xff)
      return iova < 0x1000
    },
    write: (iova: number, source: Uint8Array) => {
      stored.push([iova, [...source]])
      return iova < 0x1000
    }
  }
  let stored: [number, number[]][] = []

  beforeEach(() => {
    stored = []
  })

  async function command (command: number, payload: Uint8Array): Promise<Message> {
    await server.stream.send(encodeMessage({ id: 3, command, payload }))
    return server.next()
  }

  it('answers DMA_READ as the specification has it', async () => {
    await attach({ memory, dmaLayout: 'specification' })
    const reply = await command(Command.DMA_READ, le64(0x42n, 3n))
    expect(reply.header).toMatchObject({ id: 3, command: 11, flags: 1, size: 16 + 19 })
    expect(reply.payload).toEqual(join(le64(0x42n, 3n), bytes(0x42, 0x42, 0x42)))
  })

  it('answers DMA_READ as QEMU has it, padding included', async () => {
    await attach({ memory, dmaLayout: 'qemu' })
    const reply = await command(Command.DMA_READ, join(le64(0x42n), le32(3, 0)))
    expect(reply.payload).toEqual(join(le64(0x42n), le32(3), bytes(0x42, 0x42, 0x42), bytes(0, 0, 0, 0)))
  })

  it('takes a DMA_WRITE as the specification has it', async () => {
    await attach({ memory, dmaLayout: 'specification' })
    const reply = await command(Command.DMA_WRITE, join(le64(0x10n, 2n), bytes(8, 9)))
    expect(stored).toEqual([[0x10, [8, 9]]])
    expect(reply.payload).toEqual(le64(0x10n, 2n))
  })

  it('takes a DMA_WRITE as QEMU has it, and answers with a header', async () => {
    await attach({ memory, dmaLayout: 'qemu' })
    const reply = await command(Command.DMA_WRITE, join(le64(0x10n), le32(2), bytes(8, 9), bytes(0, 0, 0, 0)))
    expect(stored).toEqual([[0x10, [8, 9]]])
    expect(reply.header).toMatchObject({ size: 16, flags: 1 })
  })

  it('refuses a DMA_WRITE without the padding that QEMU counts', async () => {
    await attach({ memory, dmaLayout: 'qemu' })
    const reply = await command(Command.DMA_WRITE, join(le64(0x10n), le32(4), bytes(1, 2, 3, 4)))
    expect(reply.header).toMatchObject({ size: 16, flags: 0x21, error: 7 })
    expect(stored).toEqual([])
  })

  it('answers EFAULT where it has no memory', async () => {
    await attach({ memory, dmaLayout: 'specification' })
    const reply = await command(Command.DMA_READ, le64(0x5000n, 8n))
    expect(reply.header).toMatchObject({ flags: 0x21, error: 14, size: 16 })
  })

  it('answers ENOSYS to a command that is not for clients', async () => {
    await attach({ memory })
    const reply = await command(Command.DEVICE_RESET, new Uint8Array(0))
    expect(reply.header).toMatchObject({ flags: 0x21, error: 38 })
  })

  it('answers with an error when told to', async () => {
    const asked = await attach({ memory })
    asked.dma.behaviour = () => ({ kind: 'error', errno: 5 })
    const reply = await command(Command.DMA_READ, join(le64(0n), le32(1, 0)))
    expect(reply.header).toMatchObject({ flags: 0x21, error: 5 })
  })

  it('does not answer when told to, and counts the request', async () => {
    const asked = await attach({ memory })
    asked.dma.behaviour = () => ({ kind: 'ignore' })
    await server.stream.send(encodeMessage({ id: 1, command: Command.DMA_READ, payload: join(le64(0n), le32(1, 0)) }))
    asked.dma.behaviour = ({ iova }) => iova === 0 ? { kind: 'ignore' } : { kind: 'answer' }
    const reply = await command(Command.DMA_READ, join(le64(1n), le32(1, 0)))
    expect(reply.header.id).toBe(3)
    expect(asked.dma.requestCount).toBe(2)
  })

  it('answers on the twin socket where there is one', async () => {
    const [near, far] = UnixSocket.pair()
    const arrived: Message[] = []
    let wake: () => void = () => undefined
    const twin = new MessageStream(near, message => {
      arrived.push(message)
      wake()
    }, () => undefined)
    const attached = VfioUserClient.attach(server.client, { twinSocket: true, memory, dmaLayout: 'specification' })
    const request = await server.next()
    const version = encodeVersion(0, 0, { twin_socket: { supported: true, fd_index: 0 } })
    await server.reply(request, version, { descriptors: [far.fd] })
    client = await attached
    const answered = new Promise<void>(resolve => {
      wake = resolve
    })
    await twin.send(encodeMessage({ id: 9, command: Command.DMA_READ, payload: le64(0x11n, 1n) }))
    await answered
    expect(client.hasTwinSocket).toBe(true)
    expect(arrived[0]?.payload).toEqual(join(le64(0x11n, 1n), bytes(0x11)))
    twin.close()
    far.close()
  })
})
