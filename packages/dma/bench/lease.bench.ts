import { DmaAccess } from '@pcikit/core'
import type { DmaLease, DmaWindow } from '@pcikit/core'
import { bench, describe } from 'vitest'
import { CrowdedManager, PAGE } from './crowded-manager.js'

/** Each sample is a thousand: what is printed as milliseconds is microseconds for one. */
const TIMES = 1000

function useLease (lease: DmaLease, iovaOf: (index: number) => number): void {
  for (let index = 0; index < TIMES; index += 1) {
    lease.open(DmaAccess.WRITE)
    lease.append(iovaOf(index), PAGE)
    void lease.commit()
    lease.close()
  }
}

describe('a lease of 4 KiB: open, append, commit, close', () => {
  const one = new CrowdedManager(1, 2 ** 28)
  const some = new CrowdedManager(8, 2 ** 24)
  const many = new CrowdedManager(65_000)
  const [oneLease, someLease, manyLease] = [one, some, many].map(({ dma }) => dma.createLease())
  let round = 0
  bench('in one region', () => {
    useLease(oneLease!, index => one.iovaOf(0) + (index * 0x9_3000) % 2 ** 28)
  })
  bench('in 8 regions, at random', () => {
    useLease(someLease!, index => some.iovaOf((index * 5) % 8 * 2))
  })
  bench('in 64 of 65,000 regions of a page, at random', () => {
    useLease(manyLease!, index => many.iovaOf((index * 7919) % 64 * 2000))
  })
  bench('in 10,000 of 65,000 regions of a page, each after the other', () => {
    round += 1
    useLease(manyLease!, index => many.iovaOf((round % 10 * TIMES + index) * 2))
  })
})

function walk (window: DmaWindow, entryBytes: number): number {
  let sum = 0
  for (let index = 0; index < TIMES; index += 1) {
    if (window.locate(index * entryBytes, entryBytes)) sum += window.view.getUint32(window.position, true)
  }
  return sum
}

describe('a window over a ring of 64 KiB: locate an entry of 64 bytes, and read a word', () => {
  const one = new CrowdedManager(1, 2 ** 28)
  const inOne = one.dma.openWindow(one.iovaOf(0) + 0x10_0000, 64 * 1024, DmaAccess.READ)
  const pages = new CrowdedManager(64)
  pages.dma.setBusMaster(true)
  for (let index = 0; index < 8; index += 1) pages.map(index * 2 + 1, 40 + index)
  const inPages = pages.dma.openWindow(pages.iovaOf(0), 64 * 1024, DmaAccess.READ)
  const sums: number[] = [0]
  bench('in one region', () => {
    sums[0] = walk(inOne, 64)
  })
  bench('in 16 regions of a page', () => {
    sums[0] = walk(inPages, 64)
  })
  bench('for comparison, a view without a window', () => {
    inOne.locate(0, 4)
    const { view, position } = inOne
    let sum = 0
    for (let index = 0; index < TIMES; index += 1) sum += view.getUint32(position + index * 64, true)
    sums[0] = sum
  })
})
