/** A connected socket inside the addon. */
export interface NativeSocket {
  /** The result of the last receive: the count of descriptors, whether some were lost, and the descriptors. */
  readonly received: Int32Array
  receive(target: Uint8Array, offset: number, length: number): number
  send(source: Uint8Array, offset: number, length: number, descriptors?: readonly number[]): number
  sendParts(
    header: Uint8Array,
    headerOffset: number,
    headerLength: number,
    payload: Uint8Array,
    payloadOffset: number,
    payloadLength: number,
    descriptors?: readonly number[]
  ): number
  onReadable(callback: (() => void) | undefined): void
  onWritable(callback: (() => void) | undefined): void
  setReferenced(referenced: boolean): void
  shutdown(how: number): void
  close(): void
}

/** A listening socket inside the addon. */
export interface NativeListener {
  accept(): number
  onReadable(callback: (() => void) | undefined): void
  setReferenced(referenced: boolean): void
  close(): void
}

/** Readiness of a descriptor, inside the addon. */
export interface NativeDescriptorWatch {
  onReadable(callback: (() => void) | undefined): void
  setReferenced(referenced: boolean): void
  close(): void
}

/** The event loop, as the addon sees it. */
export interface NativeEventLoop {
  /** One number: the time in milliseconds when the clock was read. */
  readonly time: Float64Array
  readClock(): void
  hasEvents(): boolean
}

/** A mapping inside the addon. */
export interface NativeMapping {
  readonly faultCount: number
  window(offset: number, byteLength: number): ArrayBuffer
  detachWindow(window: ArrayBuffer): void
  detach(): void
  revoke(): void
  unmap(): void
}

/** An io_uring inside the addon. */
export interface NativeIoRing {
  /** Memory of the rings. While the counters at the two indexes differ there are answers. */
  readonly counters: Int32Array
  readonly headIndex: number
  readonly tailIndex: number
  prepareRead(slot: number, ...transfer: VectorArguments): void
  prepareWrite(slot: number, ...transfer: VectorArguments): void
  prepareSync(slot: number, fd: number): void
  exchange(answers: Float64Array): number
  wait(microseconds: number): void
  areThreadsHere(): boolean
  onAnswer(callback: (() => void) | undefined): void
  close(): void
}

/** What fstat, fstatfs and F_GETFL say about a descriptor. */
export interface NativeDescription {
  type: string
  size: number
  device: number
  inode: number
  blockBytes: number
  inMemory: boolean
  readable: boolean
  writable: boolean
  nonBlocking: boolean
}

type VectorArguments = [
  fd: number,
  buffers: readonly Uint8Array[],
  offsets: readonly number[],
  lengths: readonly number[],
  count: number,
  position: number
]

type VectorCall<Result, More extends unknown[] = []> = (...transfer: [...VectorArguments, ...More]) => Result

/** The addon's exports. It checks its arguments itself: a wrong one throws a TypeError or a RangeError. */
export interface NativeBinding {
  readonly Socket: new(fd: number) => NativeSocket
  readonly Listener: new(path: string, mode: number, backlog: number, replace: boolean) => NativeListener
  readonly DescriptorWatch: new(fd: number) => NativeDescriptorWatch
  readonly EventLoop: new() => NativeEventLoop
  readonly Mapping: new(
    fd: number,
    offset: number,
    byteLength: number,
    read: boolean,
    write: boolean
  ) => NativeMapping
  readonly IoRing: new(slotCount: number) => NativeIoRing
  connectSocket(path: string): number
  socketPair(): [number, number]
  closeDescriptor(fd: number): void
  duplicateDescriptor(fd: number): number
  describeDescriptor(fd: number): NativeDescription
  createMemoryFile(name: string, size: number, seals: number): number
  addSeals(fd: number, seals: number): void
  getSeals(fd: number): number
  createEventFd(initial: number): number
  adoptEventFd(fd: number): void
  signalEventFd(fd: number, value: number): number
  readEventFd(fd: number): number
  yieldProcessor(): void
  /** How many accesses found no memory: one number. */
  readonly repairedFaults: Int32Array
  readonly copyBytes: (
    target: Uint8Array,
    targetOffset: number,
    source: Uint8Array,
    sourceOffset: number,
    length: number
  ) => void
  readonly readVector: VectorCall<Promise<number>>
  readonly writeVector: VectorCall<Promise<number>>
  readonly readVectorNow: VectorCall<number, [mayWait: boolean]>
  readonly writeVectorNow: VectorCall<number, [mayWait: boolean]>
  readonly writeVectorSoon: VectorCall<number | Promise<number>>
  syncFileData(fd: number): Promise<number>
  fileAllocate(fd: number, mode: number, offset: number, length: number): Promise<number>
  lockFile(fd: number, exclusive: boolean): boolean
  blockDeviceSize(fd: number): number
}
