import { closeDescriptor, UnixSocket } from '@pcikit/native'
import { decodeVersion, encodeVersion, qemuCapabilities } from './capabilities.js'
import type { Capabilities, NegotiatedVersion } from './capabilities.js'
import type { ClientSocket } from './client-socket.js'
import { Connection } from './connection.js'
import type { RequestOptions } from './connection.js'
import { DmaResponder } from './dma-responder.js'
import type { DmaLayout, ServedMemory } from './dma-responder.js'
import { encodeIrqSet } from './irq-set.js'
import type { IrqSetCommand } from './irq-set.js'
import {
  DeviceFeature,
  DeviceInfo,
  IrqInfoLayout,
  RegionAccessLayout,
  RegionInfoLayout,
  RegionIoFds,
  WriteMulti
} from './layouts.js'
import type { Message } from './message.js'
import { MessageStream } from './message-stream.js'
import type { SendOptions } from './message-stream.js'
import { Command, DmaUnmapFlags } from './protocol.js'
import {
  decodeDeviceInfo,
  decodeDmaUnmap,
  decodeIrqInfo,
  encodeDmaMap,
  encodeDmaUnmap,
  encodeRegionAccess,
  encodeWrites
} from './payloads.js'
import type { DeviceInfoReply, DmaMapping, IrqInfoReply, SmallWrite, UnmapReply } from './payloads.js'
import { decodeRegion, decodeRegionIoFds } from './region.js'
import type { Region, RegionIoFd } from './region.js'
import { ConnectionError } from './vfio-user-error.js'

/** How a client behaves. */
export interface VfioUserClientOptions {
  /** What to propose. `false`: a VERSION of four bytes, without JSON. QEMU's proposal is the default. */
  readonly capabilities?: Capabilities | false
  /** The version to propose, 0.0 unless given. */
  readonly version?: { readonly major: number, readonly minor: number }
  /** Does not send a VERSION: the test does. */
  readonly negotiate?: boolean
  /** Proposes a socket of its own for the server's commands. */
  readonly twinSocket?: boolean
  /** Milliseconds that a request waits for its reply: 5,000 unless given, as with QEMU. 0: for ever. */
  readonly timeoutMs?: number
  /** What the server reaches with DMA_READ and DMA_WRITE. */
  readonly memory?: ServedMemory
  /** How DMA_READ and DMA_WRITE are laid out: as QEMU has them unless given. */
  readonly dmaLayout?: DmaLayout
}

/** Access to a device's regions, which is all that drivers need of a client. */
export interface RegionAccess {
  readRegion(region: number, offset: number, count: number): Promise<Uint8Array>
  /** `posted` writes need no reply: they are done when a later read answers. */
  writeRegion(region: number, offset: number, data: Uint8Array, options?: { readonly posted?: boolean }): Promise<void>
}

/**
 * The client's end of vfio-user: each message as a method, and raw bytes where a test wants them. Requests may be sent
 * without waiting for the replies to others. An error reply rejects with VfioUserError; the end of the
 * connection rejects everything that waits with ConnectionError.
 */
export class VfioUserClient implements RegionAccess {
  readonly #connection: Connection
  readonly #options: VfioUserClientOptions
  #twin: MessageStream | undefined
  #version: NegotiatedVersion | undefined
  /** Answers the server's requests for memory. */
  readonly dma: DmaResponder
  /** Set to take over from {@link dma} what the server's commands are answered with. */
  onCommand: ((message: Message) => Promise<Uint8Array | undefined>) | undefined

  private constructor (socket: ClientSocket, options: VfioUserClientOptions) {
    this.#options = options
    const proposed = options.capabilities === false ? undefined : options.capabilities ?? qemuCapabilities
    this.dma = new DmaResponder(
      options.memory,
      options.dmaLayout ?? 'qemu',
      proposed?.max_data_xfer_size ?? 1024 * 1024
    )
    this.#connection = new Connection(socket, {
      timeoutMs: options.timeoutMs ?? 5000,
      serve: message => this.#serve(message)
    })
    void this.#connection.ended.then(() => this.#twin?.close())
  }

  /** Connects to a server's socket and negotiates. */
  static async connect (path: string, options: VfioUserClientOptions = {}): Promise<VfioUserClient> {
    return VfioUserClient.attach(UnixSocket.connect(path), options)
  }

  /** Takes over a connection, such as that of a MemoryListener, and negotiates. */
  static async attach (socket: ClientSocket, options: VfioUserClientOptions = {}): Promise<VfioUserClient> {
    const client = new VfioUserClient(socket, options)
    if (options.negotiate === false) return client
    try {
      await client.negotiate()
    } catch (error) {
      client.close()
      throw error
    }
    return client
  }

  /** What the server answered to VERSION. */
  get version (): NegotiatedVersion {
    if (this.#version === undefined) throw new Error('This client has not negotiated.')
    return this.#version
  }

  /** Whether the server's commands come on a socket of their own. */
  get hasTwinSocket (): boolean {
    return this.#twin !== undefined
  }

  get isOpen (): boolean {
    return this.#connection.isOpen
  }

  /** Resolves with the reason once the connection is over. */
  get ended (): Promise<ConnectionError> {
    return this.#connection.ended
  }

  /** Sends a VERSION and checks the reply against what was proposed. */
  async negotiate (): Promise<NegotiatedVersion> {
    const { major, minor } = this.#options.version ?? { major: 0, minor: 0 }
    const reply = await this.request(Command.VERSION, encodeVersion(major, minor, this.#proposal()))
    const version = decodeVersion(reply.payload)
    if (version.major !== major || version.minor > minor) {
      this.close()
      throw new ConnectionError('protocol', `The server chose version ${version.major}.${version.minor}.`)
    }
    this.#adoptTwin(version.capabilities, reply.descriptors)
    this.#version = version
    return version
  }

  /** DMA_MAP. */
  async mapDma (mapping: DmaMapping, options: RequestOptions = {}): Promise<void> {
    const descriptors = mapping.descriptor === undefined ? [] : [mapping.descriptor]
    await this.request(Command.DMA_MAP, encodeDmaMap(mapping), { descriptors, ...options })
  }

  /** DMA_UNMAP. Resolves with the entry that the reply repeats. */
  async unmapDma (
    iova: number | bigint,
    byteLength: number | bigint,
    options: RequestOptions & { readonly unmapFlags?: number } = {}
  ): Promise<UnmapReply> {
    const payload = encodeDmaUnmap(iova, byteLength, options.unmapFlags ?? 0)
    return decodeDmaUnmap(await this.request(Command.DMA_UNMAP, payload, options))
  }

  /** DMA_UNMAP of everything. */
  async unmapAll (): Promise<void> {
    await this.unmapDma(0, 0, { unmapFlags: DmaUnmapFlags.ALL })
  }

  /** GET_INFO. */
  async getInfo (argsz: number = DeviceInfo.byteLength): Promise<DeviceInfoReply> {
    const payload = new Uint8Array(DeviceInfo.byteLength)
    DeviceInfo.argsz.set(new DataView(payload.buffer), 0, argsz)
    return decodeDeviceInfo(await this.request(Command.DEVICE_GET_INFO, payload))
  }

  /**
   * GET_REGION_INFO. Without `argsz` it asks twice where the first reply says that there is more, as QEMU does. The
   * descriptors of the result are the caller's to close.
   */
  async getRegionInfo (index: number, argsz?: number): Promise<Region> {
    const payload = new Uint8Array(RegionInfoLayout.byteLength)
    const view = new DataView(payload.buffer)
    RegionInfoLayout.argsz.set(view, 0, argsz ?? RegionInfoLayout.byteLength)
    RegionInfoLayout.index.set(view, 0, index)
    const region = decodeRegion(await this.request(Command.DEVICE_GET_REGION_INFO, payload))
    if (argsz !== undefined || region.argsz <= RegionInfoLayout.byteLength) return region
    for (const descriptor of region.descriptors) closeDescriptor(descriptor)
    return this.getRegionInfo(index, region.argsz)
  }

  /** GET_REGION_IO_FDS. The descriptors of the result are the caller's to close. */
  async getRegionIoFds (
    index: number,
    argsz = 4096
  ): Promise<{ argsz: number, index: number, entries: RegionIoFd[], descriptors: readonly number[] }> {
    const payload = new Uint8Array(RegionIoFds.byteLength)
    const view = new DataView(payload.buffer)
    RegionIoFds.argsz.set(view, 0, argsz)
    RegionIoFds.index.set(view, 0, index)
    const reply = await this.request(Command.DEVICE_GET_REGION_IO_FDS, payload)
    return { ...decodeRegionIoFds(reply), descriptors: reply.descriptors }
  }

  /** GET_IRQ_INFO. */
  async getIrqInfo (index: number, argsz: number = IrqInfoLayout.byteLength): Promise<IrqInfoReply> {
    const payload = new Uint8Array(IrqInfoLayout.byteLength)
    IrqInfoLayout.argsz.set(new DataView(payload.buffer), 0, argsz)
    IrqInfoLayout.index.set(new DataView(payload.buffer), 0, index)
    return decodeIrqInfo(await this.request(Command.DEVICE_GET_IRQ_INFO, payload))
  }

  /** SET_IRQS. */
  async setIrqs (command: IrqSetCommand): Promise<void> {
    const { payload, descriptors } = encodeIrqSet(command)
    await this.request(Command.DEVICE_SET_IRQS, payload, { descriptors })
  }

  /** REGION_READ. */
  async readRegion (region: number, offset: number, count: number): Promise<Uint8Array> {
    const reply = await this.request(Command.REGION_READ, encodeRegionAccess(region, offset, count))
    return reply.payload.subarray(RegionAccessLayout.byteLength)
  }

  /** REGION_WRITE. */
  async writeRegion (
    region: number,
    offset: number,
    data: Uint8Array,
    options: { readonly posted?: boolean } = {}
  ): Promise<void> {
    const payload = encodeRegionAccess(region, offset, data.length, data)
    if (options.posted === true) return this.post(Command.REGION_WRITE, payload)
    await this.request(Command.REGION_WRITE, payload)
  }

  /** REGION_WRITE_MULTI. Resolves with the number of writes that the server counted. */
  async writeMulti (writes: readonly SmallWrite[], options: { readonly posted?: boolean } = {}): Promise<number> {
    const payload = encodeWrites(writes)
    if (options.posted === true) {
      await this.post(Command.REGION_WRITE_MULTI, payload)
      return writes.length
    }
    const reply = await this.request(Command.REGION_WRITE_MULTI, payload)
    return WriteMulti.wrCnt.get(reply.view, 0)
  }

  /** DEVICE_RESET. */
  async reset (): Promise<void> {
    await this.request(Command.DEVICE_RESET, new Uint8Array(0))
  }

  /** DEVICE_FEATURE. `flags` are bits of FeatureFlags. Resolves with the data of the reply. */
  async deviceFeature (
    feature: number,
    flags: number,
    data: Uint8Array = new Uint8Array(0),
    argsz = 4096
  ): Promise<Uint8Array> {
    const payload = new Uint8Array(DeviceFeature.byteLength + data.length)
    const view = new DataView(payload.buffer)
    DeviceFeature.argsz.set(view, 0, argsz)
    DeviceFeature.flags.set(view, 0, feature | flags)
    payload.set(data, DeviceFeature.byteLength)
    const reply = await this.request(Command.DEVICE_FEATURE, payload)
    return reply.payload.subarray(DeviceFeature.byteLength)
  }

  /** Sends any command and resolves with its reply. */
  request (command: number, payload: Uint8Array, options: RequestOptions = {}): Promise<Message> {
    return this.#connection.request(command, payload, options)
  }

  /** Sends any command without asking for a reply. */
  post (command: number, payload: Uint8Array, options: RequestOptions = {}): Promise<void> {
    return this.#connection.post(command, payload, options)
  }

  /** Sends bytes as they are, in one write or in several. Replies to them come from {@link receive}. */
  send (bytes: Uint8Array, options: SendOptions = {}): Promise<void> {
    return this.#connection.send(bytes, options)
  }

  /** The next reply that answers no request of this client, for what {@link send} sent. */
  receive (): Promise<Message> {
    return this.#connection.receive()
  }

  /** Ends the connection. Whatever waits is rejected. */
  close (): void {
    this.#connection.close()
  }

  #proposal (): Capabilities | undefined {
    const { capabilities, twinSocket } = this.#options
    if (capabilities === false) return undefined
    const proposed = capabilities ?? qemuCapabilities
    return twinSocket === true ? { ...proposed, twin_socket: { supported: true } } : proposed
  }

  #adoptTwin (capabilities: Capabilities | undefined, descriptors: readonly number[]): void {
    const index = capabilities?.twin_socket?.supported === true ? capabilities.twin_socket.fd_index : undefined
    const descriptor = index === undefined ? undefined : descriptors[index]
    for (const other of descriptors) if (other !== descriptor) closeDescriptor(other)
    if (descriptor === undefined) return
    const twin: MessageStream = new MessageStream(
      UnixSocket.fromDescriptor(descriptor),
      message => {
        void this.#serve(message).then(reply => reply === undefined ? undefined : twin.send(reply))
      },
      () => undefined
    )
    this.#twin = twin
  }

  #serve (message: Message): Promise<Uint8Array | undefined> {
    return this.onCommand === undefined ? this.dma.answer(message) : this.onCommand(message)
  }
}
