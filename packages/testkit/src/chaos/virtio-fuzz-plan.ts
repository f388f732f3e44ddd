import type { RawDescriptor } from '../virtio/descriptor.js'
import { DescriptorFlag } from '../virtio/layouts.js'
import type { ChaosRandom } from './chaos-random.js'

const { INDIRECT, NEXT, WRITE } = DescriptorFlag

/** What may be wrong with a chain. */
const FLAWS = [
  'a bad next',
  'a loop',
  'a huge length',
  'a wrong direction',
  'a table in a table',
  'an address without memory',
  'a table of an odd size',
  'a length of 0',
  'random flags'
] as const
type Flaw = (typeof FLAWS)[number]

/** A chain of descriptors, of which one in eight has a flaw. */
export interface FuzzChain {
  readonly descriptors: readonly RawDescriptor[]
  /** Whether they are to be in an indirect table. */
  readonly isTable: boolean
  /** Bytes of that table as the ring has it; what they take unless given. */
  readonly tableBytes?: number
  /** In words, for the log; empty where there is none. */
  readonly flaw: Flaw | ''
}

/** One thing that a driver does, or should not. */
export type FuzzAction =
  | { readonly kind: 'requests', readonly count: number, readonly cut: readonly number[], readonly indirect: boolean }
  | { readonly kind: 'chains', readonly chains: readonly FuzzChain[] }
  | { readonly kind: 'index', readonly value: number }
  | { readonly kind: 'head', readonly value: number }
  | { readonly kind: 'notify', readonly offset: number, readonly width: 1 | 2 | 4, readonly value: number }
  | { readonly kind: 'register', readonly offset: number, readonly width: 1 | 2 | 4, readonly value: number }
  | { readonly kind: 'window', readonly bar: number, readonly offset: number, readonly value: number }
  | { readonly kind: 'scribble', readonly part: 0 | 1 | 2, readonly at: number, readonly bytes: readonly number[] }
  | { readonly kind: 'move', readonly page: number }
  | { readonly kind: 'unmap', readonly awayTurns: number, readonly page: number }
  | { readonly kind: 'bus-master', readonly offTurns: number }
  | { readonly kind: 'queue-reset' }
  | { readonly kind: 'reset', readonly how: 'device_status' | 'VFIO_USER_DEVICE_RESET' | 'a function-level reset' }
  | { readonly kind: 'rest', readonly turns: number }

const WEIGHTS: readonly (readonly [FuzzAction['kind'], number])[] = [
  ['requests', 50],
  ['chains', 20],
  ['index', 1],
  ['head', 1],
  ['notify', 3],
  ['register', 3],
  ['window', 1],
  ['scribble', 2],
  ['move', 6],
  ['unmap', 4],
  ['bus-master', 3],
  ['queue-reset', 2],
  ['reset', 3],
  ['rest', 2]
]

const EDGES: readonly number[] = [0, 1, 2, 7, 15, 16, 0xff, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0x8000_0000, 0xffff_ffff]
const WIDTHS = [1, 2, 4] as const
const RESETS = ['device_status', 'VFIO_USER_DEVICE_RESET', 'a function-level reset'] as const
/** The common configuration, and some bytes more. */
const REGISTER_BYTES = 72
const STATUS_OFFSET = 20

/** Where a plan may put things. All in guest addresses and bytes. */
export interface FuzzSurroundings {
  /** Memory in which chains may lie. */
  readonly data: { readonly iova: number, readonly byteLength: number }
  /** Places that queues can move to, counted in pages. */
  readonly pages: readonly number[]
}

/** Mostly what a good driver does, and rarely what none should: the same seed has the same actions, in one order. */
export class VirtioFuzzPlan {
  readonly #random: ChaosRandom
  readonly #surroundings: FuzzSurroundings

  constructor (random: ChaosRandom, surroundings: FuzzSurroundings) {
    this.#random = random
    this.#surroundings = surroundings
  }

  next (): FuzzAction {
    const random = this.#random
    const kind = random.weigh(WEIGHTS)
    switch (kind) {
      case 'requests':
        return { kind, count: random.between(1, 12), cut: this.#chooseCut(), indirect: random.chance(0.4) }
      case 'chains':
        return { kind, chains: Array.from({ length: random.between(1, 4) }, () => this.#chooseChain()) }
      case 'index':
      case 'head':
        return { kind, value: this.#chooseWord() & 0xffff }
      case 'notify':
        return { kind, offset: 2 * random.below(8), width: random.pick(WIDTHS), value: this.#chooseWord() }
      case 'register':
        return { kind, offset: this.#chooseRegister(), width: random.pick(WIDTHS), value: this.#chooseWord() }
      case 'window':
        return { kind, bar: random.below(8), offset: this.#chooseWord(), value: this.#chooseWord() }
      case 'scribble': {
        const bytes = Array.from({ length: random.between(1, 16) }, () => random.below(256))
        return { kind, part: random.pick([0, 1, 2] as const), at: random.below(256), bytes }
      }
      case 'move':
        return { kind, page: random.pick(this.#surroundings.pages) }
      case 'unmap':
        return { kind, awayTurns: random.below(6), page: random.pick(this.#surroundings.pages) }
      case 'bus-master':
        return { kind, offTurns: random.below(6) }
      case 'queue-reset':
        return { kind }
      case 'reset':
        return { kind, how: random.pick(RESETS) }
      case 'rest':
        return { kind, turns: random.between(1, 10) }
    }
  }

  #chooseWord (): number {
    return this.#random.chance(0.5) ? this.#random.pick(EDGES) : this.#random.below(0x1_0000_0000)
  }

  /** Not the status: what is written there is the business of resets. */
  #chooseRegister (): number {
    const offset = this.#random.below(REGISTER_BYTES)
    return offset > STATUS_OFFSET - 4 && offset <= STATUS_OFFSET ? 0 : offset
  }

  #chooseCut (): readonly number[] {
    const random = this.#random
    return random.chance(0.5) ?
      [] :
      Array.from({ length: random.between(1, 3) }, () => random.pick([64, 100, 511, 4096]))
  }

  #chooseChain (): FuzzChain {
    const random = this.#random
    const readable = random.below(4)
    const count = Math.max(1, readable + random.below(4))
    const descriptors: RawDescriptor[] = Array.from({ length: count }, (_, position) => ({
      ...this.#chooseBuffer(),
      flags: (position < readable ? 0 : WRITE) | (position < count - 1 ? NEXT : 0)
    }))
    const isTable = random.chance(0.3)
    if (random.chance(7 / 8)) return { descriptors, isTable, flaw: '' }
    return this.#spoil(descriptors, isTable, random.pick(FLAWS))
  }

  #chooseBuffer (): { readonly addr: number, readonly len: number } {
    const { iova, byteLength } = this.#surroundings.data
    const len = this.#random.between(1, this.#random.pick([1, 16, 600, 9000]))
    return { addr: iova + this.#random.below(byteLength - len), len }
  }

  #spoil (descriptors: RawDescriptor[], isTable: boolean, flaw: Flaw): FuzzChain {
    const random = this.#random
    const at = random.below(descriptors.length)
    const old = descriptors[at]!
    const change = (changes: Partial<RawDescriptor>): FuzzChain => {
      descriptors[at] = { ...old, ...changes }
      return { descriptors, isTable, flaw }
    }
    switch (flaw) {
      case 'a bad next':
        return change({ flags: old.flags | NEXT, next: 1000 + random.below(0xfc00) })
      case 'a loop':
        return change({ flags: old.flags | NEXT, next: random.below(at + 1) })
      case 'a huge length':
        return change({ len: random.pick([0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) })
      case 'a wrong direction':
        return change({ flags: old.flags ^ WRITE })
      case 'a table in a table':
        return { ...change({ flags: old.flags | INDIRECT }), isTable: true }
      case 'an address without memory':
        return change({
          addr: random.pick([0, 0xffff_f000, 0x7f_0000_0000, 2 ** 52, 2 ** 53, 2 ** 63, 2 ** 64 - 2048])
        })
      case 'a table of an odd size': {
        const tableBytes = random.pick([0, 1, 8, 24, 16 * descriptors.length + 1, 0x10_0000, 0xffff_fff0])
        return { descriptors, isTable: true, tableBytes, flaw }
      }
      case 'a length of 0':
        return change({ len: 0 })
      case 'random flags':
        return change({ flags: random.below(0x1_0000) })
    }
  }
}

/** An action in a line. */
export function describeFuzzAction (action: FuzzAction): string {
  if (action.kind === 'chains') {
    const flaws = action.chains.flatMap(({ flaw }) => flaw === '' ? [] : [flaw])
    return `${action.chains.length} chains${flaws.length === 0 ? '' : `, with ${flaws.join(', ')}`}`
  }
  const { kind, ...rest } = action
  return `${kind} ${JSON.stringify(rest)}`
}
