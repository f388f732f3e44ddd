import { LateRanges } from '@pcikit/block'
import { silentLogger } from '@pcikit/core'
import type { DmaListener, DmaSpace, Logger } from '@pcikit/core'
import { FeatureSet } from '@pcikit/virtio'
import { BlockConfig } from '../../src/block-config.js'
import type { BlockRequest } from '../../src/block-request.js'
import { Disk } from '../../src/disk.js'
import { offeredFeatures } from '../../src/features.js'
import { RangeSegment, RequestHeader } from '../../src/layouts.js'
import { lifetimeBytes, physicalBlockSize, segMax, virtioBlkOptionsSchema } from '../../src/options.js'
import { StatusBytes } from '../../src/status-bytes.js'
import { VirtioBlkModel } from '../../src/virtio-blk-model.js'
import type { Zones } from '../../src/zones/zones.js'
import { FakeChain } from './fake-chain.js'
import type { FakeChainOptions } from './fake-chain.js'
import type { RecordingBackend } from './recording-backend.js'

/** What of guest memory the device looks at besides its chains. */
export class FakeSpace {
  isBusMaster = true
  readonly #mapped = new Set<DmaListener>()

  onMap (listener: DmaListener): { close(): void } {
    this.#mapped.add(listener)
    return { close: () => this.#mapped.delete(listener) }
  }

  /** Memory came. */
  mapped (): void {
    for (const listener of this.#mapped) listener(0, 4096)
  }
}

/** How a harness differs from the defaults. */
export interface HarnessOptions {
  readonly options?: Record<string, unknown>
  /** Feature bits that the driver does not accept. */
  readonly without?: readonly number[]
  readonly zones?: Zones
  readonly logger?: Logger
}

/** A request as a driver makes it. */
export interface RequestFields {
  readonly type: number
  readonly sector?: number
  readonly data?: Uint8Array
}

/** The device without its transport. */
export class Harness {
  readonly backend: RecordingBackend
  readonly model: VirtioBlkModel
  readonly config: BlockConfig
  readonly statusBytes: StatusBytes
  readonly space = new FakeSpace()
  readonly failures: string[] = []

  constructor (backend: RecordingBackend, settings: HarnessOptions = {}) {
    const options = virtioBlkOptionsSchema.parse(settings.options ?? {})
    const disk = new Disk(backend, options.readOnly)
    const offered = new FeatureSet(offeredFeatures(options, disk))
    const fail = (reason: string): number => this.failures.push(reason)
    this.backend = backend
    const { queues, minimumIo, optimalIo, writeCache, faultPolicy, graceMs } = options
    this.config = new BlockConfig({
      disk,
      offered,
      queues,
      segMax: segMax(options),
      sizeMax: options.sizeMax ?? 0,
      physicalBlockSize: physicalBlockSize(options),
      minimumIo,
      optimalIo,
      writeCache,
      zoned: settings.zones?.characteristics
    })
    this.statusBytes = new StatusBytes({ dma: this.space as unknown as DmaSpace, faultPolicy, graceMs, fail })
    this.model = new VirtioBlkModel({
      disk,
      config: this.config,
      features: new FeatureSet(),
      late: new LateRanges<BlockRequest>(),
      zones: settings.zones,
      id: new TextEncoder().encode(options.serial.padEnd(20, '\0')),
      lifetime: lifetimeBytes(options),
      logger: settings.logger ?? silentLogger,
      statusBytes: this.statusBytes,
      fail
    })
    const without = new Set(settings.without)
    const bits = offeredFeatures(options, disk).filter(bit => !without.has(bit))
    this.model.negotiated(new FeatureSet(bits))
  }

  /** Makes a chain available. */
  take (chain: FakeChain): FakeChain {
    this.model.take(chain)
    return chain
  }

  /** Makes a request available whose writable part has `writableBytes` for data. */
  send (fields: RequestFields, writableBytes = 0, chain: FakeChainOptions = {}): FakeChain {
    return this.take(this.prepare(fields, writableBytes, chain))
  }

  /** A chain with such a request, which is not available yet. */
  prepare (fields: RequestFields, writableBytes = 0, chain: FakeChainOptions = {}): FakeChain {
    return new FakeChain({ ...chain, readable: requestBytes(fields), writableBytes: writableBytes + 1 })
  }

  /** The same, and waits until it is completed. */
  async done (fields: RequestFields, writableBytes = 0, chain: FakeChainOptions = {}): Promise<FakeChain> {
    const sent = this.send(fields, writableBytes, chain)
    await sent.completed
    return sent
  }
}

/** The readable part of a request. */
export function requestBytes ({ type, sector = 0, data = new Uint8Array() }: RequestFields): Uint8Array {
  const bytes = new Uint8Array(RequestHeader.byteLength + data.length)
  const view = new DataView(bytes.buffer)
  RequestHeader.type.set(view, 0, type)
  RequestHeader.sector.set(view, 0, sector)
  bytes.set(data, RequestHeader.byteLength)
  return bytes
}

/** A list of segments: sector, number of sectors, flags. */
export function segments (...list: readonly (readonly [number, number, number?])[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(list.length * RangeSegment.byteLength))
  for (const [index, [sector, numSectors, flags = 0]] of list.entries()) {
    const base = index * RangeSegment.byteLength
    RangeSegment.sector.set(view, base, sector)
    RangeSegment.numSectors.set(view, base, numSectors)
    RangeSegment.flags.set(view, base, flags)
  }
  return new Uint8Array(view.buffer)
}

/** Lets the event loop go round once. */
export function nextTurn (): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
