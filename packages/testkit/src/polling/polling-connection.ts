import { closeDescriptor, UnixSocket, WOULD_BLOCK } from '@pcikit/native'
import type { DmaClient } from '../guest/guest-memory.js'
import { DeviceInfo, RegionAccessLayout, RegionInfoLayout } from '../vfio-user/layouts.js'
import { decodeHeader, encodeMessage, isErrorReply, isReply } from '../vfio-user/message.js'
import type { Message } from '../vfio-user/message.js'
import { decodeDmaUnmap, encodeDmaMap, encodeDmaUnmap, encodeRegionAccess } from '../vfio-user/payloads.js'
import type { DmaMapping } from '../vfio-user/payloads.js'
import { Command, commandName } from '../vfio-user/protocol.js'
import { decodeRegion } from '../vfio-user/region.js'
import type { Region } from '../vfio-user/region.js'
import { encodeVersion } from '../vfio-user/capabilities.js'
import type { RegionAccess } from '../vfio-user/vfio-user-client.js'
import { ConnectionError, VfioUserError } from '../vfio-user/vfio-user-error.js'

const HEADER_BYTES = 16
/** The largest payload of a reply that it has room for. */
const PAYLOAD_BYTES_MAX = 4096
/** The size of a GET_REGION_INFO request and its argsz, of which only the first 32 bytes mean something. */
const REGION_INFO_BYTES = 4080
const REPLY_TIMEOUT_MS = 10_000

/**
 * The connection of a user-space driver that polls, as SPDK's initiator behaves: VERSION without JSON, every message id
 * 0, one request at a time, each reply taken with a single read that must bring all of it, and no command of the server
 * ever answered. The end of its patience is an error, never a second try.
 */
export class PollingConnection implements RegionAccess, DmaClient {
  readonly #socket: UnixSocket
  readonly #descriptors = new Map<number, number>()
  #last: Promise<unknown> = Promise.resolve()
  #wake: () => void = () => undefined

  private constructor (socket: UnixSocket) {
    this.#socket = socket
  }

  /** Connects and sends a VERSION of four bytes. */
  static async connect (path: string): Promise<PollingConnection> {
    const connection = new PollingConnection(UnixSocket.connect(path))
    try {
      await connection.#request(Command.VERSION, encodeVersion(0, 0, undefined))
    } catch (error) {
      connection.close()
      throw error
    }
    return connection
  }

  /** How many regions GET_INFO tells. */
  async regionCount (): Promise<number> {
    const payload = new Uint8Array(DeviceInfo.byteLength)
    DeviceInfo.argsz.set(new DataView(payload.buffer), 0, DeviceInfo.byteLength)
    const { view } = await this.#request(Command.DEVICE_GET_INFO, payload)
    return DeviceInfo.numRegions.get(view, 0)
  }

  /** GET_REGION_INFO, as long as this client always makes it. */
  async regionInfo (index: number): Promise<Region> {
    const payload = new Uint8Array(REGION_INFO_BYTES)
    const view = new DataView(payload.buffer)
    RegionInfoLayout.argsz.set(view, 0, REGION_INFO_BYTES)
    RegionInfoLayout.index.set(view, 0, index)
    return decodeRegion(await this.#request(Command.DEVICE_GET_REGION_INFO, payload))
  }

  async readRegion (region: number, offset: number, count: number): Promise<Uint8Array> {
    const reply = await this.#request(Command.REGION_READ, encodeRegionAccess(region, offset, count))
    return reply.payload.subarray(RegionAccessLayout.byteLength)
  }

  async writeRegion (region: number, offset: number, data: Uint8Array): Promise<void> {
    await this.#request(Command.REGION_WRITE, encodeRegionAccess(region, offset, data.length, data))
  }

  async mapDma (mapping: DmaMapping): Promise<void> {
    if (mapping.descriptor === undefined) throw new Error('This client shares all of its memory.')
    this.#descriptors.set(Number(mapping.iova), mapping.descriptor)
    await this.#request(Command.DMA_MAP, encodeDmaMap(mapping), [mapping.descriptor])
  }

  /** DMA_UNMAP, with the descriptor of the region, for which the protocol has no use. */
  async unmapDma (iova: number, byteLength: number): Promise<void> {
    const descriptor = this.#descriptors.get(iova)
    const descriptors = descriptor === undefined ? [] : [descriptor]
    const reply = decodeDmaUnmap(
      await this.#request(Command.DMA_UNMAP, encodeDmaUnmap(iova, byteLength, 0), descriptors)
    )
    if (reply.iova !== iova || reply.byteLength !== byteLength) {
      throw new ConnectionError('protocol', 'The reply to DMA_UNMAP does not repeat the entry.')
    }
  }

  /** Ends the connection. A request that waits is rejected. */
  close (): void {
    this.#socket.close()
    this.#wake()
  }

  #request (command: number, payload: Uint8Array, descriptors: readonly number[] = []): Promise<Message> {
    const reply = this.#last.then(() => this.#exchange(command, payload, descriptors))
    this.#last = reply.catch(() => undefined)
    return reply
  }

  async #exchange (command: number, payload: Uint8Array, descriptors: readonly number[]): Promise<Message> {
    const bytes = encodeMessage({ id: 0, command, payload })
    const sent = this.#socket.send(bytes, 0, bytes.length, descriptors)
    if (sent !== bytes.length) throw new ConnectionError('io', `A request of ${bytes.length} bytes was cut: ${sent}.`)
    await this.#readable()
    return this.#take(command)
  }

  #readable (): Promise<void> {
    return new Promise((resolve, reject) => {
      const expire = (): void => reject(new ConnectionError('timeout', `No reply came within ${REPLY_TIMEOUT_MS} ms.`))
      const timer = setTimeout(expire, REPLY_TIMEOUT_MS)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
      this.#socket.onReadable(() => {
        this.#socket.onReadable(undefined)
        this.#wake()
      })
    })
  }

  #take (command: number): Message {
    const buffer = new Uint8Array(HEADER_BYTES + PAYLOAD_BYTES_MAX)
    const descriptors: number[] = []
    const count = this.#socket.receive(buffer, 0, buffer.length, descriptors)
    try {
      return parseReply(command, buffer.subarray(0, Math.max(0, count)), count, descriptors)
    } catch (error) {
      for (const descriptor of descriptors) closeDescriptor(descriptor)
      throw error
    }
  }
}

function parseReply (command: number, bytes: Uint8Array, count: number, descriptors: readonly number[]): Message {
  const what = commandName(command)
  if (count === 0) throw new ConnectionError('ended', 'The server closed the connection.')
  if (count === WOULD_BLOCK || count < HEADER_BYTES) {
    throw new ConnectionError('protocol', `The reply to ${what} came in pieces, or not at all: ${count}.`)
  }
  const header = decodeHeader(bytes)
  if (!isReply(header) || header.id !== 0 || header.command !== command) {
    throw new ConnectionError('protocol', `${commandName(header.command)} came where a reply to ${what} was due.`)
  }
  if (header.size !== count) {
    throw new ConnectionError('protocol', `A reply of ${header.size} bytes to ${what} came as ${count} bytes.`)
  }
  if (isErrorReply(header)) throw new VfioUserError(command, header.error)
  const payload = bytes.slice(HEADER_BYTES)
  return { header, payload, view: new DataView(payload.buffer), descriptors }
}
