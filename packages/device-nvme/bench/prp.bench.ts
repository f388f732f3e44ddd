import { DmaAccess } from '@pcikit/core'
import { bench, describe } from 'vitest'
import { Command } from '../src/command.js'
import { PrpMapper } from '../src/prp.js'
import { Status } from '../src/status.js'
import { FlatDmaSpace } from './flat-memory.js'

/** Each sample is a hundred: what is printed as milliseconds is tens of microseconds for one. */
const TIMES = 100
const PAGE = 0x1000
const LIST = 0x1_0000
const DATA = 0x10_0000
const ENTRIES = PAGE / 8

const dma = new FlatDmaSpace(0x40_0000)
const prps = new PrpMapper(dma)
const command = new Command(dma.createLease())
for (let entry = 0; entry < ENTRIES; entry++) dma.view.setUint32(LIST + entry * 8, DATA + (entry + 1) * PAGE, true)

/** `list`: where the second entry points to when it is a list. */
function walk (pages: number, list = LIST): void {
  command.prp1 = DATA
  command.prp2 = pages === 2 ? DATA + PAGE : list
  for (let index = 0; index < TIMES; index++) {
    if (prps.map(command, pages * PAGE, DmaAccess.WRITE) !== Status.SUCCESS) throw new Error('These PRPs are valid.')
    command.lease.close()
  }
}

describe('PrpMapper: walk to the data of a command, a hundred times', () => {
  bench('one page', () => walk(1))
  bench('two pages', () => walk(2))
  bench('32 pages, with a list', () => walk(32))
  bench('256 pages, with a list', () => walk(256))
})
