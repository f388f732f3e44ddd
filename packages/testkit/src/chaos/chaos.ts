import type { PciDriver } from '../pci/pci-driver.js'
import { mappingOf } from '../guest/guest-memory.js'
import { VfioUserError } from '../vfio-user/vfio-user-error.js'
import type { VfioUserClient } from '../vfio-user/vfio-user-client.js'
import type { AreaLayout } from './area-layout.js'
import { describeAction } from './chaos-action.js'
import type { ChaosAction, LayoutAction, UnmapStyle } from './chaos-action.js'
import { ChaosError } from './chaos-error.js'
import { ChaosConditions } from './chaos-load.js'
import type { ChaosLoad } from './chaos-load.js'
import { AREA_MARGIN_BYTES, PLACE_COUNT } from './chaos-memory.js'
import type { ChaosMemory } from './chaos-memory.js'
import { ChaosPlan } from './chaos-plan.js'
import { findGrowth, readProcessUse } from './process-use.js'
import type { ProcessUse } from './process-use.js'

/** What is done to which device, and for how long. */
export interface ChaosOptions {
  /** A client that has mapped nothing yet. For memory without a descriptor it was made with `memory.guest`. */
  readonly client: VfioUserClient
  readonly pci: PciDriver
  readonly memory: ChaosMemory
  readonly load: ChaosLoad
  /** The same seed does the same things in the same order. */
  readonly seed: number
  /** Ends after so much time, in milliseconds, or so many actions, whichever comes first. */
  readonly durationMs?: number
  readonly actionsMax?: number
  /** The process that serves the device, to look for what it leaks. It must do nothing else. */
  readonly pid?: number
  /** The BARs to size, 0 unless given. */
  readonly bars?: readonly number[]
  /** Whether memory may be left unshared, for the device to reach by message; true unless given. */
  readonly byMessage?: boolean
}

/** What a run did. */
export interface ChaosReport {
  readonly seed: number
  readonly actionCount: number
  readonly commandCount: number
  /** All actions, a line each. */
  readonly log: readonly string[]
}

const PAGE_BYTES = 4096
/** An address at which no area is, with nothing for a terabyte above it. */
const NOWHERE = 0x100_0000_0000
const ACTIONS_PER_CHECK = 32
/** Mappings without a name that a process may have more of at the end: the heap grows. */
const HEAP_MAPPINGS_MAX = 1024
const EINVAL = 22
const EEXIST = 17

const PCI_RESETS = ['VFIO_USER_DEVICE_RESET', 'a function-level reset', 'D3hot and back'] as const
type PciReset = (typeof PCI_RESETS)[number]

/**
 * Takes memory away from a device in every way there is, resets it, switches its bus mastering and sizes its BARs,
 * while a load keeps it busy. Throws {@link ChaosError}, which tells how to replay it, when the device
 *
 * - goes away, or answers a request with an error, or not in time, or accepts one that it must refuse
 * - writes to memory that it no longer has
 * - ends a command wrongly, twice, or never
 * - does not work afterwards
 * - holds more descriptors or mappings than before
 */
export async function runChaos (options: ChaosOptions): Promise<ChaosReport> {
  const run = new ChaosRun(options)
  try {
    await run.run()
  } catch (error) {
    throw new ChaosError(options.seed, run.log, error)
  }
  return { seed: options.seed, actionCount: run.log.length, commandCount: options.load.commandCount, log: run.log }
}

class ChaosRun {
  readonly log: string[] = []
  readonly #options: ChaosOptions
  readonly #plan: ChaosPlan
  readonly #conditions = new ChaosConditions()

  constructor (options: ChaosOptions) {
    this.#options = options
    this.#plan = new ChaosPlan({
      seed: options.seed,
      areaPages: options.memory.areaPages,
      placeCount: PLACE_COUNT,
      resets: [...PCI_RESETS, ...options.load.resets],
      bars: options.bars ?? [0],
      byMessage: options.byMessage ?? true
    })
  }

  async run (): Promise<void> {
    const { load, memory } = this.#options
    await this.#mapAll()
    await load.start(this.#conditions)
    const before = await this.#settle()
    await this.#mapAll()
    load.resume()
    await this.#act()
    const after = await this.#settle()
    memory.check()
    const grown = before === undefined || after === undefined ? [] : findGrowth(before, after, HEAP_MAPPINGS_MAX)
    if (grown.length > 0) throw new Error(`The process of the device holds more than before:\n${grown.join('\n')}`)
  }

  async #act (): Promise<void> {
    const { durationMs = Infinity, actionsMax = Infinity, load, memory } = this.#options
    const end = performance.now() + durationMs
    while (performance.now() < end && this.log.length < actionsMax) {
      const action = this.#plan.next()
      this.log.push(`#${this.log.length + 1} ${describeAction(action)}`)
      await this.#perform(action)
      load.check()
      if (this.log.length % ACTIONS_PER_CHECK === 0) memory.check()
    }
  }

  /** Lets the load come to rest and prove that the device works, and takes all memory away. */
  async #settle (): Promise<ProcessUse | undefined> {
    const { load, client, pid } = this.#options
    load.pause()
    await load.idle()
    await load.prove()
    await client.unmapAll()
    return pid === undefined ? undefined : readProcessUse(pid)
  }

  async #perform (action: ChaosAction): Promise<void> {
    const { client, memory, pci } = this.#options
    switch (action.kind) {
      case 'layout':
        return this.#whileDisturbed(() => action.isPipelined ? this.#recutAtOnce(action) : this.#layOut(action))
      case 'replace-all':
        return this.#whileDisturbed(() => this.#replaceAll(action.layouts, action.awayTurns))
      case 'bus-master':
        return this.#whileDisturbed(() => this.#withoutBusMaster(action.offTurns))
      case 'size-bar':
        return this.#whileDisturbed(async () => void await pci.sizeBar(action.bar))
      case 'reset':
        return this.#whileDisturbed(async () => {
          await this.#reset(action.reset)
          await this.#restart()
        })
      case 'cutting-unmap': {
        const { iova, byteLength } = memory.area(action.area)
        const skipped = action.page * PAGE_BYTES
        return expectRefusal(EINVAL, () => client.unmapDma(iova + skipped, byteLength - skipped))
      }
      case 'double-map': {
        const at = memory.area(action.area).iova + action.page * PAGE_BYTES
        const file = memory.regionsOf(action.area)[0]!.file
        const mapping = { iova: at, byteLength: PAGE_BYTES, descriptor: file.descriptor, fileOffset: 0 }
        return expectRefusal(EEXIST, () => client.mapDma(mapping))
      }
      case 'empty-unmap':
        return void await client.unmapDma(NOWHERE, action.pageCount * PAGE_BYTES)
      case 'rest':
        return this.#turns(action.turns)
    }
  }

  async #whileDisturbed (action: () => Promise<void>): Promise<void> {
    this.#conditions.disturb()
    await action()
    this.#conditions.calm()
  }

  async #layOut (action: LayoutAction): Promise<void> {
    const { client, memory } = this.#options
    await Promise.all(this.#unmap(action.area, action.unmap, action.order))
    const regions = memory.apply(action.area, action.layout)
    await this.#turns(action.awayTurns)
    if (action.reset !== undefined) await this.#reset(action.reset)
    await memory.guest.map(client, inOrder(regions, action.order))
    if (action.reset !== undefined) await this.#restart()
  }

  /** The way of QEMU, which waits for the last reply of a transaction only. */
  async #recutAtOnce (action: LayoutAction): Promise<void> {
    const { client, memory } = this.#options
    const unmaps = this.#unmap(action.area, action.unmap, action.order)
    const regions = memory.apply(action.area, action.layout)
    await Promise.all([...unmaps, memory.guest.map(client, inOrder(regions, action.order))])
  }

  async #replaceAll (layouts: readonly AreaLayout[], awayTurns: number): Promise<void> {
    const { client, memory } = this.#options
    await client.unmapAll()
    layouts.forEach((layout, area) => memory.apply(area, layout))
    await this.#turns(awayTurns)
    await this.#mapAll()
  }

  async #withoutBusMaster (turns: number): Promise<void> {
    await this.#options.pci.setBusMaster(false)
    await this.#turns(turns)
    await this.#options.pci.setBusMaster(true)
  }

  #unmap (index: number, style: UnmapStyle, order: 'up' | 'down'): Promise<unknown>[] {
    const { client, memory } = this.#options
    const { iova, byteLength } = memory.area(index)
    if (style === 'area') return [client.unmapDma(iova, byteLength)]
    if (style === 'beyond') return [client.unmapDma(iova - AREA_MARGIN_BYTES, byteLength + 2 * AREA_MARGIN_BYTES)]
    return inOrder(memory.regionsOf(index), order).map(region => client.unmapDma(region.iova, region.byteLength))
  }

  async #mapAll (): Promise<void> {
    const { client, memory } = this.#options
    await Promise.all(memory.guest.regions.map(region => client.mapDma(mappingOf(region))))
  }

  /** When the reset is acknowledged, nothing that was under way can come any more. */
  async #reset (name: string): Promise<void> {
    const { load } = this.#options
    load.pause()
    if (isPciReset(name)) await this.#resetFunction(name)
    else await load.reset(name)
    load.abandon(`There was a reset: ${name}.`)
    await load.idle()
  }

  async #resetFunction (name: PciReset): Promise<void> {
    const { client, pci } = this.#options
    if (name === 'VFIO_USER_DEVICE_RESET') return client.reset()
    if (name === 'a function-level reset') return pci.functionLevelReset()
    await pci.setPowerState('D3hot')
    await pci.setPowerState('D0')
  }

  async #restart (): Promise<void> {
    await this.#options.load.start(this.#conditions)
  }

  async #turns (count: number): Promise<void> {
    for (let turn = 0; turn < count; turn++) await this.#options.client.getInfo()
  }
}

function isPciReset (name: string): name is PciReset {
  return (PCI_RESETS as readonly string[]).includes(name)
}

function inOrder<T> (items: readonly T[], order: 'up' | 'down'): readonly T[] {
  return order === 'up' ? items : items.toReversed()
}

async function expectRefusal (errno: number, action: () => Promise<unknown>): Promise<void> {
  try {
    await action()
  } catch (error) {
    if (error instanceof VfioUserError && error.errno === errno) return
    throw error
  }
  throw new Error(`The device accepted what it must refuse with errno ${errno}.`)
}
