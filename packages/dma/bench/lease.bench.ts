import { DmaAccess, silentLogger, silentRecorder } from '@pcikit/core'
import { createMemoryFile, duplicateDescriptor } from '@pcikit/native'
import { bench, describe } from 'vitest'
import { MappedDmaManager } from '../src/mapped-dma-manager.js'
import { mappedDmaOptions } from '../src/options.js'

const PAGE = 4096

/** A manager with so many regions of one page, of one sealed file. */
function manyRegions (count: number, seal = true): MappedDmaManager {
  const dma = new MappedDmaManager(mappedDmaOptions.parse({}), silentRecorder, silentLogger)
  const file = createMemoryFile('bench', count * PAGE, { seal })
  for (let page = 0; page < count; page += 1) {
    const descriptor = duplicateDescriptor(file)
    dma.map({ iova: page * 2 * PAGE, byteLength: PAGE, access: DmaAccess.READ_WRITE, fileOffset: page * PAGE, descriptor })
  }
  dma.setBusMaster(true)
  return dma
}

function oneRegion (byteLength: number, seal = true): MappedDmaManager {
  const dma = new MappedDmaManager(mappedDmaOptions.parse({}), silentRecorder, silentLogger)
  const descriptor = createMemoryFile('bench', byteLength, { seal })
  dma.map({ iova: 0, byteLength, access: DmaAccess.READ_WRITE, fileOffset: 0, descriptor })
  dma.setBusMaster(true)
  return dma
}

const REPEAT = 1000

describe('lease: open, append 4 KiB, commit, close (x1000)', () => {
  const single = oneRegion(1 << 28)
  const unsealed = oneRegion(1 << 28, false)
  const lease = single.createLease()
  const unsealedLease = unsealed.createLease()
  const many = manyRegions(16_000)
  const manyLease = many.createLease()
  let at = 0
  bench('one region', () => {
    for (let index = 0; index < REPEAT; index += 1) {
      at = (at + 0x9_3000) & 0xfff_f000
      lease.open(DmaAccess.WRITE)
      lease.append(at, PAGE)
      lease.commit()
      lease.close()
    }
  })
  bench('one region of a file that can shrink', () => {
    for (let index = 0; index < REPEAT; index += 1) {
      at = (at + 0x9_3000) & 0xfff_f000
      unsealedLease.open(DmaAccess.WRITE)
      unsealedLease.append(at, PAGE)
      unsealedLease.commit()
      unsealedLease.close()
    }
  })
  bench('16,000 regions of a page, at random', () => {
    for (let index = 0; index < REPEAT; index += 1) {
      at = (at + 7919) % 16_000
      manyLease.open(DmaAccess.WRITE)
      manyLease.append(at * 2 * PAGE, PAGE)
      manyLease.commit()
      manyLease.close()
    }
  })
})

describe('window.locate, 64-byte entries of a ring (x1000)', () => {
  const single = oneRegion(1 << 28)
  const window = single.openWindow(0x10_0000, 64 * 1024, DmaAccess.READ)
  let slot = 0
  let sum = 0
  bench('one region', () => {
    for (let index = 0; index < REPEAT; index += 1) {
      slot = (slot + 1) & 1023
      if (window.locate(slot * 64, 64)) sum += window.position
    }
  })
  bench('the same, reading a word of each', () => {
    for (let index = 0; index < REPEAT; index += 1) {
      slot = (slot + 1) & 1023
      if (window.locate(slot * 64, 64)) sum += window.view.getUint32(window.position, true)
    }
  })
  if (sum < 0) throw new Error()
})
