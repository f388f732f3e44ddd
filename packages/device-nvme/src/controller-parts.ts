import { dropFaults, FaultPolicy } from '@pcikit/core'
import type { AssertionError, DmaSpace, Interrupts, Logger } from '@pcikit/core'
import { AdminCommands } from './admin/admin-commands.js'
import { FeatureCommands } from './admin/feature-commands.js'
import { IdentifyCommands } from './admin/identify-commands.js'
import { LogPageCommands } from './admin/log-page-commands.js'
import { QueueCommands } from './admin/queue-commands.js'
import type { QueueLimits } from './admin/queue-commands.js'
import { AsyncEvents } from './async-events.js'
import { CommandPool } from './command-pool.js'
import { CommandProcessor } from './command-processor.js'
import { Doorbells } from './doorbells.js'
import { ErrorLog } from './error-log.js'
import { Features } from './features.js'
import { Health } from './health.js'
import type { ControllerIdentity } from './identify-data.js'
import { InterruptGate } from './interrupt-gate.js'
import { IoCommands } from './io/io-commands.js'
import { KeepAlive } from './keep-alive.js'
import type { Namespaces } from './namespace.js'
import { PrpMapper } from './prp.js'
import { QueueScheduler } from './queues/queue-scheduler.js'
import { QueueSet } from './queues/queue-set.js'
import { StallWatch } from './queues/stall-watch.js'
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
  /** Guest memory as the data of commands is transferred: as the fault policy has it. */
  readonly data: DmaSpace
  readonly prps: PrpMapper
  readonly pool: CommandPool
  readonly queues: QueueSet
  readonly scheduler: QueueScheduler
  readonly processor: CommandProcessor
  readonly interrupts: InterruptGate
  readonly events: AsyncEvents
  readonly doorbells: Doorbells
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
  const asyncEvents = new AsyncEvents((command, status) => processor.complete(command, status))
  const keepAlive = new KeepAlive(() => events.onFatal('the host sent no Keep Alive command in time'))
  const features = new Features({
    events: asyncEvents,
    health,
    keepAlive,
    hasVolatileCache: identity.hasVolatileCache,
    vectorCount: limits.vectors
  })
  const queueCommands = new QueueCommands({
    dma,
    pool,
    prps,
    queues,
    limits,
    onDoorbellReset: (id, kind) => events.onDoorbellReset(id, kind),
    onDelete: queue => interrupts.forget(queue)
  })
  const { transferBytesMax } = identity
  const admin = new AdminCommands({
    identify: new IdentifyCommands(identity, namespaces, transfer),
    features: new FeatureCommands(features, namespaces, queueCommands, transfer),
    logPages: new LogPageCommands(
      { errors, health, events: asyncEvents, firmware: identity.firmware, transferBytesMax },
      transfer
    ),
    queueCommands,
    events: asyncEvents,
    keepAlive,
    queues
  })
  const io = new IoCommands({ prps, transfer, features, health, transferBytesMax }, namespaces)
  const stalls = new StallWatch(faultPolicy, surroundings.graceMs, () => {
    // While bus mastering is off nobody expects anything, also of what was missing before.
    if (dma.isBusMaster && scheduler.isStalled) events.onFatal('the memory of a queue went away and did not return')
  })
  const faults = faultPolicy !== FaultPolicy.FATAL ?
    undefined :
    new TransferFaults(dma, () => events.onFatal('the data of a command could not be reached'))
  const scheduler = new QueueScheduler(pool, {
    execute: command => processor.execute(command),
    notify: queue => interrupts.notify(queue),
    stalls
  })
  const processor = new CommandProcessor({
    pool,
    admin,
    io,
    errors,
    health,
    logger,
    faults,
    onCompletion: queue => scheduler.completionReady(queue),
    onRoom: queue => scheduler.roomMade(queue),
    onAssertion: error => events.onFatal('an assertion failed', error)
  })
  const doorbells = new Doorbells(queues, scheduler, interrupts, asyncEvents)
  const machine = { queues, scheduler, processor, interrupts, events: asyncEvents, doorbells }
  return { data, prps, pool, ...machine, admin, io, health, faults }
}
