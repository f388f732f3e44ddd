/** One 32-bit register: its place, its value after reset, and what its bits allow. */
export interface RegisterSpec {
  /** Byte offset of this 32-bit word, as the specification prints it. A multiple of 4. */
  readonly offset: number
  /** The value after reset. 0 where not given. */
  readonly reset?: number
  /** Bits the driver may set and clear. Bits in neither mask are read-only. */
  readonly writable?: number
  /** Bits that writing 1 clears (RW1C). */
  readonly clearable?: number
  /** Bits that keep their value in a reset with `keepSticky`. */
  readonly sticky?: number
}

/** Called after the driver wrote a register, with what it holds now and what it held before. */
export type RegisterHook = (value: number, previous: number) => void

/**
 * Called when the driver reads a register, with what it holds. What it returns is what the driver reads, and what the
 * register holds from then on.
 */
export type RegisterReadHook = (value: number) => number

/**
 * What registers held when they were saved, by name: those with a bit that is not as after reset. Plain data, for
 * whoever keeps it.
 */
export type RegisterValues = Readonly<Record<string, { readonly value: number, readonly changed: number }>>

const ALL = 0xffff_ffff

/**
 * Registers declared as a table of masks, kept in flat arrays. The driver's side is `read` and `write`, by byte offset;
 * the device's side is `get` and `set`, by name. Words that no register occupies read as zero and ignore writes.
 *
 * @example
 * const bank = new RegisterBank({ CC: { offset: 0x14, writable: 0x00ff_fff1 }, CSTS: { offset: 0x1c } })
 * bank.onWrite('CC', (value, previous) => { … })
 */
export class RegisterBank<Name extends string> {
  readonly #words: Uint32Array
  readonly #reset: Uint32Array
  readonly #writable: Uint32Array
  readonly #clearable: Uint32Array
  readonly #sticky: Uint32Array
  readonly #hooks: (RegisterHook | undefined)[]
  readonly #readHooks: (RegisterReadHook | undefined)[]
  readonly #index: ReadonlyMap<Name, number>

  /** Throws RangeError where a register is not aligned, or two are at the same place. */
  constructor (specs: Readonly<Record<Name, RegisterSpec>>) {
    const index = new Map<Name, number>()
    const taken = new Map<number, Name>()
    let count = 0
    for (const [name, spec] of Object.entries<RegisterSpec>(specs) as [Name, RegisterSpec][]) {
      const word = spec.offset / 4
      if (!Number.isInteger(word) || word < 0) {
        throw new RangeError(`${name} is at ${spec.offset}, not a word's offset.`)
      }
      const other = taken.get(word)
      if (other !== undefined) throw new RangeError(`${name} and ${other} are both at offset ${spec.offset}.`)
      taken.set(word, name)
      index.set(name, word)
      count = Math.max(count, word + 1)
    }
    this.#index = index
    this.#words = new Uint32Array(count)
    this.#reset = new Uint32Array(count)
    this.#writable = new Uint32Array(count)
    this.#clearable = new Uint32Array(count)
    this.#sticky = new Uint32Array(count)
    this.#hooks = new Array<RegisterHook | undefined>(count).fill(undefined)
    this.#readHooks = new Array<RegisterReadHook | undefined>(count).fill(undefined)
    for (const [name, word] of index) {
      const spec: RegisterSpec = specs[name]
      this.#reset[word] = spec.reset ?? 0
      this.#writable[word] = spec.writable ?? 0
      this.#clearable[word] = spec.clearable ?? 0
      this.#sticky[word] = spec.sticky ?? 0
    }
    this.#words.set(this.#reset)
  }

  /** Bytes from offset 0 to the end of the last register. */
  get byteLength (): number {
    return this.#words.length * 4
  }

  /** The driver reads the word that holds byte `offset`. */
  read (offset: number): number {
    const word = offset >>> 2
    const hook = this.#readHooks[word]
    if (hook === undefined) return this.#words[word] ?? 0
    const value = hook(this.#words[word]!) >>> 0
    this.#words[word] = value
    return value
  }

  /**
   * The driver writes the word that holds byte `offset`.
   *
   * @param lanes the bits that the access carries: those of the bytes written when it is narrower than a word
   */
  write (offset: number, value: number, lanes: number = ALL): void {
    const word = offset >>> 2
    const previous = this.#words[word]
    if (previous === undefined) return
    const writable = this.#writable[word]! & lanes
    const clearable = this.#clearable[word]! & lanes
    const next = (((previous & ~writable) | (value & writable)) & ~(value & clearable)) >>> 0
    this.#words[word] = next
    this.#hooks[word]?.(next, previous)
  }

  /** The value of a register, as the device reads it. */
  get (name: Name): number {
    return this.#words[this.#wordOf(name)]!
  }

  /** Sets a register from the device's side: no mask applies and no hook is called. */
  set (name: Name, value: number): void {
    this.#words[this.#wordOf(name)] = value
  }

  /** Has `hook` called after each write by the driver, also when no bit changed. One hook for each register. */
  onWrite (name: Name, hook: RegisterHook): void {
    const word = this.#wordOf(name)
    if (this.#hooks[word] !== undefined) throw new RangeError(`${name} has a hook already.`)
    this.#hooks[word] = hook
  }

  /** Has `hook` answer each read by the driver: for registers that are read with an effect. One for each register. */
  onRead (name: Name, hook: RegisterReadHook): void {
    const word = this.#wordOf(name)
    if (this.#readHooks[word] !== undefined) throw new RangeError(`${name} has a hook for reads already.`)
    this.#readHooks[word] = hook
  }

  /** Gives every register its reset value, without calling hooks. */
  reset (options: { readonly keepSticky?: boolean } = {}): void {
    if (options.keepSticky !== true) {
      this.#words.set(this.#reset)
      return
    }
    for (let word = 0; word < this.#words.length; word++) {
      const sticky = this.#sticky[word]!
      this.#words[word] = (this.#words[word]! & sticky) | (this.#reset[word]! & ~sticky)
    }
  }

  /** What the registers hold, to be restored in this bank or in one that was declared otherwise. */
  save (): RegisterValues {
    const values: Record<string, { readonly value: number, readonly changed: number }> = {}
    for (const [name, word] of this.#index) {
      const value = this.#words[word]!
      const changed = (value ^ this.#reset[word]!) >>> 0
      if (changed !== 0) values[name] = { value, changed }
    }
    return values
  }

  /**
   * Takes over what {@link save} told: every bit that was not as after reset gets its value, all others their reset
   * value of here. Registers that this bank does not have are left out. No hook is called.
   */
  restore (values: RegisterValues): void {
    this.reset()
    for (const [name, word] of this.#index) {
      if (!Object.hasOwn(values, name)) continue
      const { value, changed } = values[name]!
      this.#words[word] = (this.#reset[word]! & ~changed) | (value & changed)
    }
  }

  #wordOf (name: Name): number {
    const word = this.#index.get(name)
    if (word === undefined) throw new RangeError(`There is no register ${name}.`)
    return word
  }
}
