import { describe, expect, it } from 'vitest'
import { DmaAccess, DmaFault, dropFaults } from '../src/index.js'
import type { DmaListener, DmaSpace } from '../src/index.js'

const PAGE = 4096

/** Pages 1 and 3 are there. What is done to them is done at once, or later. */
class SomePages {
  readonly memory = new Uint8Array(4 * PAGE).fill(0x11)
  isBusMaster = true
  readonly #listeners: DmaListener[] = []
  readonly #isLate: boolean

  constructor (isLate: boolean) {
    this.#isLate = isLate
  }

  get space (): DmaSpace {
    return this as unknown as DmaSpace
  }

  read (iova: number, target: Uint8Array): DmaFault | Promise<DmaFault> {
    return this.#answer(iova, target.length, () => target.set(this.memory.subarray(iova, iova + target.length)))
  }

  write (iova: number, source: Uint8Array): DmaFault | Promise<DmaFault> {
    return this.#answer(iova, source.length, () => this.memory.set(source, iova))
  }

  onUnmap (listener: DmaListener): void {
    this.#listeners.push(listener)
  }

  async drain (): Promise<void> {}

  setBusMaster (isBusMaster: boolean): void {
    this.isBusMaster = isBusMaster
    if (!isBusMaster) { for (const listener of this.#listeners) listener(0, Number.MAX_SAFE_INTEGER) }
  }

  #answer (iova: number, byteLength: number, work: () => void): DmaFault | Promise<DmaFault> {
    const pages = [iova, iova + byteLength - 1].map(at => Math.floor(at / PAGE))
    if (!this.isBusMaster) return DmaFault.BUS_MASTER_OFF
    if (!pages.every(page => page === 1 || page === 3)) return DmaFault.UNMAPPED
    if (this.#isLate) return Promise.resolve().then(work).then(() => DmaFault.NONE)
    work()
    return DmaFault.NONE
  }
}

describe.each([['at once', false], ['later', true]])('dropFaults, of memory that answers %s', (_when, isLate) => {
  it('reads ones where there is nothing', async () => {
    const target = new Uint8Array(3 * PAGE)
    expect(await dropFaults(new SomePages(isLate).space).read(PAGE / 2, target)).toBe(DmaFault.NONE)
    const at = [0, PAGE / 2 - 1, PAGE / 2, 3 * PAGE / 2 - 1, 3 * PAGE / 2, 5 * PAGE / 2 - 1, 5 * PAGE / 2]
    expect(at.map(index => target[index])).toEqual([0xff, 0xff, 0x11, 0x11, 0xff, 0xff, 0x11])
  })

  it('writes what has a place', async () => {
    const pages = new SomePages(isLate)
    expect(await dropFaults(pages.space).write(0, new Uint8Array(4 * PAGE).fill(0x22))).toBe(DmaFault.NONE)
    expect([0, 1, 2, 3].map(page => pages.memory[page * PAGE])).toEqual([0x11, 0x22, 0x11, 0x22])
  })

  it('gives leases that never fault, again and again', async () => {
    const pages = new SomePages(isLate)
    const lease = dropFaults(pages.space).createLease()
    for (const byte of [0x33, 0x44]) {
      lease.open(DmaAccess.READ_WRITE)
      expect([lease.append(0, PAGE), lease.append(PAGE, PAGE), lease.append(2 ** 60, 8)]).toEqual([0, 0, 0])
      expect(await lease.fetch()).toBe(DmaFault.NONE)
      const first = [0, 1, 2].map(index => lease.bytesAt(index)[lease.offsetAt(index)])
      expect(first).toEqual([0xff, pages.memory[PAGE], 0xff])
      lease.bytesAt(1).fill(byte)
      expect(await lease.commit()).toBe(DmaFault.NONE)
      expect([lease.byteLength, lease.fault, pages.memory[PAGE]]).toEqual([2 * PAGE + 8, DmaFault.NONE, byte])
      lease.close()
      expect(lease.segmentCount).toBe(0)
    }
  })

  it.each([
    ['a drain', async (_pages: SomePages, space: DmaSpace) => space.drain()],
    ['bus mastering was off', async (pages: SomePages) => {
      pages.setBusMaster(false)
      pages.setBusMaster(true)
    }]
  ])('lets nothing of an open lease through after %s', async (_what, end) => {
    const pages = new SomePages(isLate)
    const space = dropFaults(pages.space)
    const lease = space.createLease()
    lease.open(DmaAccess.WRITE)
    lease.append(PAGE, PAGE)
    await end(pages, space)
    expect(await lease.commit()).toBe(DmaFault.NONE)
    expect(pages.memory[PAGE]).toBe(0x11)
    lease.close()
    lease.open(DmaAccess.WRITE)
    lease.append(PAGE, PAGE)
    await lease.commit()
    expect(pages.memory[PAGE]).toBe(0)
  })
})
