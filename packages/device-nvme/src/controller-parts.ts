import { BlindEventLoop, dropFaults, FaultPolicy, StallWatch } from '@pcikit/core'
import type {
  AssertionError,
  DmaSpace,
  EventLoopView,
  InterruptModeration,
  Interrupts,
  Logger,
  PollTimes
} from '@pcikit/core'
import { AdminCommands } from './admin/admin-commands.js'
import { DoorbellBufferCommand } from './admin/doorbell-buffer-command.js'
import { FeatureCommands } from './admin/feature-commands.js'
import { IdentifyCommands } from './admin/identify-commands.js'
import { LogPageCommands } from './admin/log-page-commands.js'
import { QueueCommands } from './admin/queue-commands.js'
import type { QueueLimits } from './admin/queue-commands.js'
import { AsyncEvents } from './async-events.js'
import { ChangedNamespaces } from './changed-namespaces.js'
import { CommandPool } from './command-pool.js'
import { CommandProcessor } from './command-processor.js'
import { Doorbells } from './doorbells.js'
import { ErrorLog } from './error-log.js'
import { Features } from './features.js'
import { Health } from './health.js'
import type { ControllerIdentity } from './identify-data.js'
import { InterruptGate } from './interrupt-gate.js'
import { moderateCompletions } from './interrupt-moderation.js'
import { IoCommands } from './io/io-commands.js'
import { KeepAlive } from './keep-alive.js'
import { LateChanges } from './late-changes.js'
import type { Namespaces } from './namespace.js'
import { PrpMapper } from './prp.js'
import type { CompletionQueue } from './queues/completion-queue.js'
import { QueueScheduler } from './queues/queue-scheduler.js'
import type { Media } from './queues/queue-scheduler.js'
import { QueueSet } from './queues/queue-set.js'
import { ShadowDoorbells } from './shadow-doorbells.js'
import type { ShadowSurroundings } from './shadow-doorbells.js'
import { TransferFaults } from './transfer-faults.js'
import { DataTransfer } from './transfer.js'

/** What a controller is built with. */
export interface ControllerSurroundings {
  readonly dma: DmaSpace
  readonly interrupts: Interrupts
  readonly logger: Logger
  readonly namespaces: Namespaces
  readonly identity: ControllerIdentity
  readonly limits: QueueLimits
  /** What DMA without memory behind it comes to. */
  readonly faultPolicy: FaultPolicy
  /** How long memory may stay away under a queue before the controller reports a fatal error, if the policy has it. */
  readonly graceMs: number
  /** How long the shadow doorbell of a queue is looked at after its last work. */
  readonly shadowWatchMs: number
  /** For doorbells that are polled. */
  readonly poller: PollTimes
  readonly eventLoop?: EventLoopView | undefined
  /** Whether interrupts are sent when the host has a use for them, and not for each run of completions. */
  readonly moderatesInterrupts: boolean
}

/** What the parts tell the controller. */
export interface ControllerEvents {
  /** Something happened that the controller cannot go on after. */
  onFatal(why: string, error?: AssertionError): void
  /** The doorbell of a queue starts over at zero. */
  onDoorbellReset(id: number, kind: 'submission' | 'completion'): void
}

/** The parts of a controller that its state machine deals with. */
export interface ControllerParts {
  /** Guest memory as queues are reached. */
  readonly memory: DmaSpace
  /** Guest memory as the data of commands is transferred: as the fault policy has it. */
  readonly data: DmaSpace
  readonly prps: PrpMapper
  readonly pool: CommandPool
  readonly queues: QueueSet
  readonly scheduler: QueueScheduler
  readonly processor: CommandProcessor
  readonly late: LateChanges
  readonly interrupts: InterruptGate
  readonly moderation: InterruptModeration<CompletionQueue>
  readonly events: AsyncEvents
  readonly doorbells: Doorbells
  readonly shadow: ShadowDoorbells
  readonly admin: AdminCommands
  readonly io: IoCommands
  readonly health: Health
  readonly faults: TransferFaults | undefined
}

/** Builds the parts and connects them. */
export function assembleController (surroundings: ControllerSurroundings, events: ControllerEvents): ControllerParts {
  const { dma, logger, namespaces, identity, limits, faultPolicy } = surroundings
  // Only data can be dropped. Queues keep to the memory itself, or they would take commands of all ones.
  const data = faultPolicy === FaultPolicy.DROP ? dropFaults(dma) : dma
  const prps = new PrpMapper(data)
  const pool = new CommandPool(data)
  const transfer = new DataTransfer(prps)
  const queues = new QueueSet(limits.queues)
  const health = new Health()
  const errors = new ErrorLog()
  const interrupts = new InterruptGate(surroundings.interrupts, queues.completionQueues)
  const late = new LateChanges((command, status) => processor.complete(command, status))
  const asyncEvents = new AsyncEvents((command, status) => processor.complete(command, status))
  const shadow = assembleShadow(surroundings, queues, interrupts, {
    ring: (number, value) => doorbells.ring(number, value),
    onRegister: () => scheduler.resume(),
    onWatch: () => scheduler.watch(),
    clock: () => scheduler.clock
  })
  const keepAlive = new KeepAlive(() => events.onFatal('the host sent no Keep Alive command in time'))
  const features = new Features({
    events: asyncEvents,
    health,
    keepAlive,
    hasVolatileCache: identity.hasVolatileCache,
    vectorCount: limits.vectors
  })
  const asked = { prps, transfer, queues, health, errors, interrupts, features, keepAlive }
  const moderation = moderateCompletions({
    gate: interrupts,
    isAdaptive: surroundings.moderatesInterrupts,
    features,
    lookAtHead: queue => shadow.lookAtHead(queue),
    onHold: () => scheduler.watch()
  })
  const admin = assembleAdmin(surroundings, events, { ...asked, asyncEvents, late, shadow })
  const { transferBytesMax } = identity
  const io = new IoCommands({ ...asked, peek: dma.createPeek?.(), transferBytesMax }, namespaces)
  const stalls = new StallWatch(faultPolicy, surroundings.graceMs, () => {
    // While bus mastering is off nobody expects anything, also of what was missing before.
    if (dma.isBusMaster && scheduler.isStalled) events.onFatal('the memory of a queue went away and did not return')
  })
  const faults = watchTransfers(surroundings, events)
  const scheduler = new QueueScheduler(pool, {
    execute: command => processor.execute(command),
    notify: queue => {
      shadow.beforeNotice(queue)
      moderation.notify(queue)
    },
    stalls,
    watch: shadow,
    held: moderation,
    eventLoop: surroundings.eventLoop ?? new BlindEventLoop(),
    media: watchMedia(namespaces, () => processor.busy > 0)
  })
  const processor: CommandProcessor = new CommandProcessor({
    pool,
    admin,
    io,
    late,
    errors,
    health,
    logger,
    faults,
    onCompletion: queue => scheduler.completionReady(queue),
    onRoom: queue => scheduler.roomMade(queue),
    onAssertion: error => events.onFatal('an assertion failed', error)
  })
  const doorbells = new Doorbells({ queues, scheduler, interrupts, moderation, events: asyncEvents })
  const machine = { queues, scheduler, processor, late, interrupts, moderation, events: asyncEvents, doorbells, shadow }
  return { memory: dma, data, prps, pool, ...machine, admin, io, health, faults }
}

/** For the policy that ends the controller where data cannot be reached. */
function watchTransfers (
  { dma, faultPolicy }: ControllerSurroundings,
  events: ControllerEvents
): TransferFaults | undefined {
  if (faultPolicy !== FaultPolicy.FATAL) return undefined
  return new TransferFaults(dma, () => events.onFatal('the data of a command could not be reached'))
}

function watchMedia (namespaces: Namespaces, isBusy: () => boolean): Media {
  return { poll: mayWait => isBusy() && namespaces.poll(mayWait), isWaiting: isBusy }
}

function assembleShadow (
  { dma, shadowWatchMs, limits }: ControllerSurroundings,
  queues: QueueSet,
  interrupts: InterruptGate,
  calls: Pick<ShadowSurroundings, 'ring' | 'onRegister' | 'onWatch' | 'clock'>
): ShadowDoorbells {
  return new ShadowDoorbells({
    dma,
    queues,
    watchMs: shadowWatchMs,
    doorbellCount: 2 * (limits.queues + 1),
    isLevel: queue => interrupts.isLevel(queue),
    ...calls
  })
}

/** What admin commands work with, besides the surroundings. */
interface AdminParts {
  readonly prps: PrpMapper
  readonly transfer: DataTransfer
  readonly queues: QueueSet
  readonly health: Health
  readonly errors: ErrorLog
  readonly interrupts: InterruptGate
  readonly features: Features
  readonly keepAlive: KeepAlive
  readonly asyncEvents: AsyncEvents
  readonly late: LateChanges
  readonly shadow: ShadowDoorbells
}

function assembleAdmin (
  { dma, namespaces, identity, limits }: ControllerSurroundings,
  events: ControllerEvents,
  parts: AdminParts
): AdminCommands {
  const { prps, transfer, queues, health, errors, interrupts, features, keepAlive, asyncEvents, late, shadow } = parts
  const queueCommands = new QueueCommands({
    dma,
    prps,
    queues,
    limits,
    late,
    onDoorbellReset: (id, kind) => {
      shadow.changed(id, kind)
      events.onDoorbellReset(id, kind)
    },
    onDelete: queue => interrupts.forget(queue)
  })
  const changed = new ChangedNamespaces(asyncEvents, features)
  return new AdminCommands({
    identify: new IdentifyCommands(identity, namespaces, transfer),
    features: new FeatureCommands(features, namespaces, queueCommands, transfer),
    logPages: new LogPageCommands({ ...identity, errors, health, events: asyncEvents, changed }, transfer),
    queueCommands,
    events: asyncEvents,
    changed,
    keepAlive,
    late,
    queues,
    doorbellBuffer: identity.hasDoorbellBuffers ? new DoorbellBufferCommand(prps, shadow) : undefined
  })
}
