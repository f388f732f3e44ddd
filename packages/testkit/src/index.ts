/**
 * What device authors test with: the client's end of vfio-user, a guest's memory and interrupts, guest-side drivers,
 * and fakes of what core's interfaces describe. The compliance suites are in `@pcikit/testkit/compliance`.
 *
 * @example
 * ```ts
 * import { GuestMemory, PciDriver, VfioUserClient } from '@pcikit/testkit'
 *
 * export async function vendorOf (path: string): Promise<number> {
 *   const memory = new GuestMemory()
 *   memory.add({ iova: 0, byteLength: 1 << 20 })
 *   const client = await VfioUserClient.connect(path, { memory })
 *   await memory.map(client)
 *   const vendor = await new PciDriver(client).vendorId()
 *   client.close()
 *   memory.close()
 *   return vendor
 * }
 * ```
 *
 * @packageDocumentation
 */
export {
  Command,
  commandName,
  DeviceFlags,
  DmaMapFlags,
  DmaUnmapFlags,
  Feature,
  FeatureFlags,
  HeaderFlags,
  IoFdType,
  IrqInfoFlags,
  IrqSetFlags,
  RegionFlags,
  SPARSE_MMAP_CAPABILITY
} from './vfio-user/protocol.js'
export { decodeHeader, encodeMessage, isErrorReply, isReply } from './vfio-user/message.js'
export type { Message, MessageHeader, MessageParts } from './vfio-user/message.js'
export { decodeVersion, encodeVersion, qemuCapabilities } from './vfio-user/capabilities.js'
export type { Capabilities, NegotiatedVersion } from './vfio-user/capabilities.js'
export { MessageStream } from './vfio-user/message-stream.js'
export type { SendOptions } from './vfio-user/message-stream.js'
export type { RequestOptions } from './vfio-user/connection.js'
export { DmaResponder } from './vfio-user/dma-responder.js'
export type { DmaBehaviour, DmaLayout, DmaRequest, ServedMemory } from './vfio-user/dma-responder.js'
export { encodeIrqSet } from './vfio-user/irq-set.js'
export type { IrqSetCommand } from './vfio-user/irq-set.js'
export type { Area, Region, RegionIoFd } from './vfio-user/region.js'
export type { ClientSocket } from './vfio-user/client-socket.js'
export { MemoryListener } from './memory/memory-listener.js'
export { MemorySocket } from './memory/memory-socket.js'
export { ManualClock } from './guest/manual-clock.js'
export { VfioUserClient } from './vfio-user/vfio-user-client.js'
export type { RegionAccess, VfioUserClientOptions } from './vfio-user/vfio-user-client.js'
export type { DeviceInfoReply, DmaMapping, IrqInfoReply, SmallWrite, UnmapReply } from './vfio-user/payloads.js'
export { ConnectionError, VfioUserError } from './vfio-user/vfio-user-error.js'
export { AbandonedPlace, GuestMemory, mappingOf } from './guest/guest-memory.js'
export type { DmaClient, GuestRegion, RegionPlacement } from './guest/guest-memory.js'
export { GuestFile } from './guest/guest-file.js'
export { DataBuffer } from './guest/data-buffer.js'
export { fillPattern, firstDifference, pattern, seededRandom } from './guest/pattern.js'
export { IrqRecorder } from './guest/irq-recorder.js'
export type { IrqClient } from './guest/irq-recorder.js'
export { PciDriver } from './pci/pci-driver.js'
export type { BarInfo, Capability, MsixInfo } from './pci/pci-driver.js'
export { NvmeDriver } from './nvme/nvme-driver.js'
export type {
  DoorbellBufferOptions,
  EnableOptions,
  NvmeDriverOptions,
  NvmeInterrupts,
  QueuePairOptions
} from './nvme/nvme-driver.js'
export { AdminCommands } from './nvme/admin-commands.js'
export type { IoQueueRequest, LogPageRequest } from './nvme/admin-commands.js'
export { IoQueue } from './nvme/io-queue.js'
export type { BlockRange, Transfer } from './nvme/io-queue.js'
export { ControllerFatalError, ControllerRegisters } from './nvme/controller-registers.js'
export type { ControllerCapabilities } from './nvme/controller-registers.js'
export { CommandAbandonedError } from './guest/pending-commands.js'
export { SubmissionQueue } from './nvme/submission-queue.js'
export type { SubmissionQueueSpec, SubmitOptions } from './nvme/submission-queue.js'
export { CompletionQueue } from './nvme/completion-queue.js'
export type { CompletionQueueSpec } from './nvme/completion-queue.js'
export { doorbellOffset, MappedDoorbells, TrapDoorbells } from './nvme/doorbells.js'
export type { Doorbells } from './nvme/doorbells.js'
export { ShadowedDoorbells } from './nvme/shadowed-doorbells.js'
export type { DoorbellBuffers } from './nvme/shadowed-doorbells.js'
export { buildPrps } from './nvme/prp.js'
export type { Prps, PrpShape } from './nvme/prp.js'
export { encodeCommand } from './nvme/command.js'
export type { NvmeCommand } from './nvme/command.js'
export { decodeController, decodeNamespace } from './nvme/identify.js'
export type { ControllerIdentity, NamespaceIdentity } from './nvme/identify.js'
export { AdminOpcode, Cns, FeatureId, IoOpcode, LogPage, Property } from './nvme/layouts.js'
export { CONTROLLER_SOCKET, POLLING_IOVA, PollingInitiator } from './polling/polling-initiator.js'
export type { PollingInitiatorOptions } from './polling/polling-initiator.js'
export { PollingConnection } from './polling/polling-connection.js'
export { PolledLoad } from './polling/polled-load.js'
export type { PolledRun, PolledRunResult } from './polling/polled-load.js'
export type { PolledLoadOptions } from './polling/polled-nvme-queue.js'
export type { PolledQueue } from './polling/polled-queue.js'
export { LatencyHistogram } from './polling/latency-histogram.js'
export { decodeStatus, NvmeCommandError, NvmeStatusCode, statusCode } from './nvme/status.js'
export type { NvmeCompletion, NvmeStatus } from './nvme/status.js'
export { DiskVerifier } from './guest/disk-verifier.js'
export type { DiskVerifierOptions, VerifiedQueue, VerifiedTransfer, VerifierRun } from './guest/disk-verifier.js'
export { VirtioPciDriver } from './virtio/virtio-pci-driver.js'
export type {
  CreateQueueOptions,
  StartOptions,
  VirtioInterrupts,
  VirtioPciDriverOptions
} from './virtio/virtio-pci-driver.js'
export { CommonRegisters } from './virtio/common-registers.js'
export type { QueueRegisters } from './virtio/common-registers.js'
export { StructureAccess } from './virtio/virtio-structures.js'
export type { AccessWidth, StructurePath, VirtioStructure } from './virtio/virtio-structures.js'
export type { FeatureChoice } from './virtio/feature-words.js'
export { Virtqueue } from './virtio/virtqueue.js'
export type { QueueFeatures, SubmitChainOptions, VirtqueueHost, VirtqueueSpec } from './virtio/virtqueue.js'
export type { DriverRing, QueuePlace, RingOptions, UsedChain } from './virtio/driver-ring.js'
export type {
  ChainFraming,
  DriverChain,
  GuestBuffer,
  PackedFields,
  PlainDescriptor,
  RawDescriptor,
  SplitFields
} from './virtio/descriptor.js'
export { SplitRing } from './virtio/split-ring.js'
export { PackedRing } from './virtio/packed-ring.js'
export { RingMemory } from './virtio/ring-memory.js'
export {
  CommonCfg,
  DescriptorFlag,
  NO_VECTOR,
  VirtioFeature,
  VirtioIsr,
  VirtioStatus,
  VirtioStructureType
} from './virtio/layouts.js'
export { VirtioGuest } from './virtio/virtio-guest.js'
export type { VirtioGuestOptions } from './virtio/virtio-guest.js'
export { PlacedSample, sendSample } from './virtio/virtio-sample.js'
export type { VirtioSample } from './virtio/virtio-sample.js'
export { VirtioBlkDriver } from './virtio/virtio-blk-driver.js'
export type { StartBlkOptions } from './virtio/virtio-blk-driver.js'
export { buffersOf, encodeSegments, NO_STATUS, VirtioBlkError, VirtioBlkQueue } from './virtio/virtio-blk-queue.js'
export type { BlkAnswer, BlkFraming, BlkRequest, BlkSegmentRange, BlkTransfer } from './virtio/virtio-blk-queue.js'
export {
  BlkConfig,
  BlkZone,
  BlkZoneReport,
  SECTOR_BYTES,
  VirtioBlkFeature,
  VirtioBlkRequest,
  VirtioBlkStatus
} from './virtio/blk-layouts.js'
export type { VirtioBlkConfig } from './virtio/blk-layouts.js'
export { runChaos } from './chaos/chaos.js'
export type { ChaosOptions, ChaosReport } from './chaos/chaos.js'
export { ChaosError } from './chaos/chaos-error.js'
export { ChaosConditions } from './chaos/chaos-load.js'
export type { ChaosLoad } from './chaos/chaos-load.js'
export { ChaosMemory } from './chaos/chaos-memory.js'
export type { ChaosAreaOptions } from './chaos/chaos-memory.js'
export { BlockChaosLoad } from './chaos/block-chaos-load.js'
export type { BlockChaosLoadOptions } from './chaos/block-chaos-load.js'
export type { ChaosDisk, ChaosOutcome, ChaosQueue } from './chaos/chaos-disk.js'
export { NvmeChaosDisk } from './chaos/nvme-chaos-disk.js'
export type { NvmeChaosDiskOptions } from './chaos/nvme-chaos-disk.js'
export { VirtioBlkChaosDisk } from './chaos/virtio-blk-chaos-disk.js'
export type { VirtioBlkChaosDiskOptions } from './chaos/virtio-blk-chaos-disk.js'
export { fuzzVirtioDevice } from './chaos/virtio-fuzz.js'
export type { VirtioFuzzOptions, VirtioFuzzReport } from './chaos/virtio-fuzz.js'
export { ChaosPlan } from './chaos/chaos-plan.js'
export type { ChaosPlanOptions } from './chaos/chaos-plan.js'
export { describeAction } from './chaos/chaos-action.js'
export type { ChaosAction, LayoutAction, UnmapStyle } from './chaos/chaos-action.js'
export type { AreaLayout, ChaosPiece } from './chaos/area-layout.js'
export { findGrowth, findTraces, readProcessUse } from './chaos/process-use.js'
export type { ProcessUse } from './chaos/process-use.js'
export { FakeDmaManager } from './fakes/fake-dma-manager.js'
export type { FakePiece, Resolution } from './fakes/fake-dma-manager.js'
