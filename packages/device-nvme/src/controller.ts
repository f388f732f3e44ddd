import { endsWithin } from '@pcikit/core'
import type { AssertionError, Subscription } from '@pcikit/core'
import { RegisterBank } from '@pcikit/wire'
import { assembleController } from './controller-parts.js'
import type { ControllerParts, ControllerSurroundings } from './controller-parts.js'
import { restoreParts, stateOf } from './controller-state.js'
import type { ControllerState } from './controller-state.js'
import type { DoorbellPage } from './doorbell-page.js'
import { DoorbellPoller } from './doorbell-poller.js'
import { CompletionQueue } from './queues/completion-queue.js'
import { SubmissionQueue } from './queues/submission-queue.js'
import { Aqa, Cc, controllerProperties, Csts, DOORBELLS_AT, MPSMAX, ShutdownStatus } from './registers.js'
import type { ControllerProperty } from './registers.js'
import { Status } from './status.js'

const WORD = 0x1_0000_0000
/** Bytes of the smallest memory page, as a power of two. */
const PAGE_SHIFT_MIN = 12
const INTMC_AT = 0x10
/** The bits of a doorbell that count. */
const DOORBELL_LANES = 0xffff
/** How long a shutdown waits for commands in flight before it takes their memory. */
const SHUTDOWN_STEP_MS = 2000
/** How long each step of closing waits for back ends that are stuck. */
export const CLOSE_STEP_MS = 2000
/** Words that keep their value when CC.EN is cleared. [NVMe-Base] "Controller Reset". */
const keptByControllerReset = ['AQA', 'ASQ', 'ASQ_HIGH', 'ACQ', 'ACQ_HIGH', 'CC'] as const

/**
 * The controller's registers and the state machine behind them. [NVMe-Base] "CC: Controller Configuration", "Controller
 * Level Reset", "Shutdown".
 *
 * ```
 *                                CC.EN=1
 *   disabled ─────────────────────────────────────────────► ready ──► failed (CSTS.CFS)
 *      ▲                                                      │          │
 *      └──── CSTS.RDY=0 ◄── no DMA can follow ◄── stopping ◄──┴──────────┘  CC.EN=0, or any reset
 * ```
 */
export class NvmeController {
  readonly #surroundings: ControllerSurroundings
  readonly #parts: ControllerParts
  readonly #registers: RegisterBank<ControllerProperty>
  readonly #page: DoorbellPage | undefined
  readonly #poller: DoorbellPoller | undefined
  readonly #mapped: Subscription
  /** Counts what ends everything under way: whoever waited for something compares. */
  #generation = 0
  #isStopping = false
  /** The end of the last reset, or of the last time that it was disabled. */
  #stopped: Promise<void> = Promise.resolve()

  /** With a page doorbells are polled there, else they are messages. */
  constructor (surroundings: ControllerSurroundings, page?: DoorbellPage) {
    this.#surroundings = surroundings
    this.#page = page
    this.#parts = assembleController(surroundings, {
      onFatal: (why, error) => this.#fail(why, error),
      onDoorbellReset: (id, kind) => this.#page?.store(kind === 'submission' ? id * 2 : id * 2 + 1, 0)
    })
    const { queues, doorbells, shadow, scheduler, interrupts } = this.#parts
    this.#poller = page === undefined ?
      undefined :
      new DoorbellPoller(page, { queues, doorbells, scheduler }, surroundings)
    this.#registers = new RegisterBank(controllerProperties(surroundings.limits.entries))
    this.#registers.onWrite('CC', (value, previous) => this.#configure(value, previous))
    this.#registers.onWrite('INTMS', value => {
      interrupts.setMask(value)
      this.#registers.set('INTMS', interrupts.mask)
    })
    this.#registers.onWrite('INTMC', value => {
      shadow.lookAtHeads()
      interrupts.clearMask(value)
      this.#registers.set('INTMS', interrupts.mask)
      this.#registers.set('INTMC', 0)
    })
    this.#mapped = surroundings.dma.onMap(() => this.#memoryCame())
  }

  /** Whether CSTS.RDY is set. */
  get isReady (): boolean {
    return Csts.RDY.isSet(this.#registers.get('CSTS'))
  }

  /** The host reads the word at `offset` of BAR 0. Both interrupt mask registers read as the mask. */
  read (offset: number): number {
    if (offset === INTMC_AT) return this.#parts.interrupts.mask
    return this.#registers.read(offset)
  }

  /** The host writes the word at `offset` of BAR 0. Doorbells come first: they are the frequent case. */
  write (offset: number, value: number, lanes: number): void {
    if (offset < DOORBELLS_AT) {
      this.#registers.write(offset, value, lanes)
      return
    }
    // Hosts write doorbells as words; half of one is no doorbell.
    if ((lanes & DOORBELL_LANES) !== DOORBELL_LANES) return
    if (this.#page !== undefined) {
      this.#page.store((offset - DOORBELLS_AT) >>> 2, value)
      this.#poller?.kick()
    } else if (this.isReady && !this.#isStopping) this.#parts.shadow.ring((offset - DOORBELLS_AT) >>> 2, value)
  }

  /** Puts everything in the state of power-on. Resolves when no DMA can follow. */
  reset (): Promise<void> {
    this.#stopped = this.#reset()
    return this.#stopped
  }

  /** Tells where it is, for other code. From now on no command is fetched and no completion told. */
  async save (): Promise<ControllerState> {
    await this.#stopped
    const { scheduler, processor, queues } = this.#parts
    this.#poller?.stop()
    scheduler.halt()
    await processor.whenIdle()
    while (queues.completionQueues.some(queue => queue.isSending)) await new Promise(resolve => setImmediate(resolve))
    return stateOf(this.#registers.save(), this.#parts)
  }

  /** Goes on where another one was, when it was not used yet. */
  restore (state: ControllerState): void {
    this.#registers.restore(state.registers)
    this.#parts.prps.pageBytes = 2 ** (PAGE_SHIFT_MIN + Cc.MPS.get(this.#registers.get('CC')))
    restoreParts(this.#parts, state)
    const csts = this.#registers.get('CSTS')
    if (Csts.CFS.isSet(csts)) this.#parts.scheduler.halt()
    if (Csts.SHST.get(csts) === ShutdownStatus.OCCURRING) void this.#shutDown()
  }

  /** The back end of a namespace has another size. Commands under way were checked against the one they began with. */
  namespaceChanged (nsid: number): void {
    const blocks = this.#surroundings.namespaces.get(nsid)?.blockCount
    this.#surroundings.logger.info({ nsid, blocks }, `namespace ${nsid} has ${blocks} blocks now`)
    this.#parts.admin.namespaceChanged(nsid)
  }

  /** The host is gone: nothing is missing while it is. */
  clientGone (): void {
    if (this.isReady && Csts.SHST.get(this.#registers.get('CSTS')) !== ShutdownStatus.COMPLETE) {
      this.#parts.health.unsafeShutdowns++
    }
    this.#poller?.stop()
    this.#parts.scheduler.suspend()
  }

  /**
   * Ends all work and makes what was written durable. A back end that is stuck does not hold it up for ever: its I/O
   * reaches no memory of the guest any more, and what comes of it is lost.
   */
  async close (): Promise<void> {
    const { data, processor, faults } = this.#parts
    this.#mapped.close()
    this.#stop()
    await data.drain()
    if (!await endsWithin(processor.whenIdle(), CLOSE_STEP_MS)) {
      this.#surroundings.logger.error({ commands: processor.busy }, 'a back end is stuck; its commands are given up')
    }
    if (!await endsWithin(this.#flush(), CLOSE_STEP_MS)) {
      this.#surroundings.logger.error({}, 'a back end does not end its flush; what was written last may be lost')
    }
    faults?.close()
  }

  async #reset (): Promise<void> {
    this.#stop()
    this.#page?.clear()
    this.#registers.reset()
    const generation = this.#generation
    await this.#drain()
    if (generation === this.#generation) this.#isStopping = false
    this.#enableIfWanted()
  }

  #memoryCame (): void {
    this.#parts.scheduler.memoryCame()
    if (this.isReady && !Csts.CFS.isSet(this.#registers.get('CSTS'))) this.#poller?.start()
  }

  #configure (value: number, previous: number): void {
    if (Cc.EN.isSet(previous) && !Cc.EN.isSet(value)) this.#disable()
    else if (!Cc.EN.isSet(previous) && Cc.EN.isSet(value)) this.#enableIfWanted()
    if (Cc.SHN.isSet(value) && !Cc.SHN.isSet(previous)) void this.#shutDown()
  }

  /**
   * CC.EN from 0 to 1. Waits for the admin commands of an earlier life, which end by themselves, but not for back ends.
   */
  #enableIfWanted (): void {
    if (this.#isStopping || this.isReady || !Cc.EN.isSet(this.#registers.get('CC'))) return
    const generation = ++this.#generation
    const { processor } = this.#parts
    if (processor.busy === 0) this.#enable()
    else void processor.whenIdle().then(() => generation === this.#generation && this.#enable())
  }

  #enable (): void {
    const cc = this.#registers.get('CC')
    const problem = this.#unsupported(cc)
    if (problem !== undefined) {
      this.#fail(problem)
      return
    }
    const { dma } = this.#surroundings
    const { prps, queues } = this.#parts
    const aqa = this.#registers.get('AQA')
    prps.pageBytes = 2 ** (PAGE_SHIFT_MIN + Cc.MPS.get(cc))
    const completions = { id: 0, iova: this.#address('ACQ', 'ACQ_HIGH'), size: Aqa.ACQS.get(aqa) + 1 }
    const commands = { id: 0, iova: this.#address('ASQ', 'ASQ_HIGH'), size: Aqa.ASQS.get(aqa) + 1 }
    const completionQueue = new CompletionQueue(dma, completions, { vector: 0, isEnabled: true })
    queues.addCompletionQueue(completionQueue)
    queues.addSubmissionQueue(new SubmissionQueue(dma, commands, completionQueue))
    this.#page?.clear()
    this.#registers.set('CSTS', Csts.RDY.set(this.#registers.get('CSTS'), 1))
    this.#poller?.start()
    this.#surroundings.logger.debug({ entries: commands.size }, 'the controller is enabled')
  }

  /** What of the configuration the controller does not have. [NVMe-Base] leaves it undefined; hosts see CSTS.CFS. */
  #unsupported (cc: number): string | undefined {
    const aqa = this.#registers.get('AQA')
    const pageBytes = 2 ** (PAGE_SHIFT_MIN + Cc.MPS.get(cc))
    const isAligned = (name: 'ASQ' | 'ACQ'): boolean => this.#registers.get(name) % pageBytes === 0
    if (Cc.CSS.get(cc) !== 0) return 'CC.CSS selects a command set that CAP.CSS does not offer'
    if (Cc.MPS.get(cc) > MPSMAX) return 'CC.MPS is above CAP.MPSMAX'
    if (Cc.AMS.get(cc) !== 0) return 'CC.AMS selects an arbitration that CAP.AMS does not offer'
    if (Aqa.ASQS.get(aqa) === 0 || Aqa.ACQS.get(aqa) === 0) return 'AQA has an admin queue of less than two entries'
    if (!isAligned('ASQ') || !isAligned('ACQ')) return 'ASQ or ACQ is not aligned to the memory page size'
    return undefined
  }

  /** CC.EN from 1 to 0. */
  #disable (): void {
    this.#stop()
    this.#page?.clear()
    const generation = this.#generation
    this.#stopped = this.#drain().then(() => {
      if (generation !== this.#generation) return
      this.#isStopping = false
      const kept = keptByControllerReset.map(name => [name, this.#registers.get(name)] as const)
      this.#registers.reset()
      for (const [name, value] of kept) this.#registers.set(name, value)
      this.#enableIfWanted()
    })
  }

  /** Resolves when no DMA can follow. What is in the back ends then is late. */
  async #drain (): Promise<void> {
    const { data, processor } = this.#parts
    await data.drain()
    processor.abandon()
  }

  /** Ends everything: no queue is served and no completion told any more. What the host has rung meanwhile stays. */
  #stop (): void {
    const { queues, scheduler, processor, interrupts, moderation, events, admin, late, shadow } = this.#parts
    this.#generation++
    this.#isStopping = true
    this.#poller?.stop()
    shadow.forget()
    scheduler.reset()
    queues.clear()
    for (const command of events.reset()) processor.complete(command, Status.ABORTED_SQ_DELETION)
    late.reset()
    scheduler.reset()
    admin.reset()
    interrupts.reset()
    moderation.reset()
  }

  /**
   * [NVMe-Base] "CC.SHN: Shutdown Notification". Both kinds are done alike: there is nothing that could be left out.
   * What was told done is flushed. A back end that is stuck with something else loses its memory and holds up nothing.
   */
  async #shutDown (): Promise<void> {
    const generation = this.#generation
    this.#setShutdownStatus(ShutdownStatus.OCCURRING)
    const { data, processor } = this.#parts
    if (!await endsWithin(processor.whenIdle(), SHUTDOWN_STEP_MS)) await data.drain()
    await this.#flush()
    if (generation === this.#generation) this.#setShutdownStatus(ShutdownStatus.COMPLETE)
  }

  async #flush (): Promise<void> {
    try {
      await this.#parts.io.flushAll()
    } catch (error) {
      this.#surroundings.logger.error(
        { err: error },
        'a back end could not be flushed; what was written last may be lost'
      )
    }
  }

  /** [NVMe-Base] "CSTS.CFS": nothing goes on until the controller is reset. */
  #fail (why: string, error?: AssertionError): void {
    // What stops a controller often does so for many commands at once.
    if (Csts.CFS.isSet(this.#registers.get('CSTS'))) return
    this.#poller?.stop()
    this.#parts.scheduler.halt()
    this.#registers.set('CSTS', Csts.CFS.set(this.#registers.get('CSTS'), 1))
    this.#surroundings.logger.error(error === undefined ? {} : { err: error }, `the controller stops: ${why}`)
  }

  #setShutdownStatus (status: number): void {
    this.#registers.set('CSTS', Csts.SHST.set(this.#registers.get('CSTS'), status))
  }

  #address (low: 'ASQ' | 'ACQ', high: 'ASQ_HIGH' | 'ACQ_HIGH'): number {
    return this.#registers.get(low) + this.#registers.get(high) * WORD
  }
}
