import { bench, describe } from 'vitest'
import { IovaSpace } from '../src/iova-space.js'
import { Region } from '../src/region.js'
import { CrowdedManager, PAGE } from './crowded-manager.js'

const COUNTS = [1, 1000, 65_000]

describe('IovaSpace: find the region of an address, at random (a thousand times)', () => {
  for (const count of COUNTS) {
    const space = new IovaSpace()
    for (let index = 0; index < count; index += 1) space.insert(new Region(index * 2 * PAGE, PAGE, 3, undefined, 0))
    let at = 0
    let last: Region | undefined = undefined
    bench(`of ${count}`, () => {
      for (let index = 0; index < 1000; index += 1) {
        at = (at + 40_507) % count
        last = space.find(at * 2 * PAGE)
      }
      if (last === undefined) throw new Error('There is a region at each of these addresses')
    })
  }
})

describe('map and unmap a region, besides others', () => {
  for (const count of COUNTS) {
    const crowd = new CrowdedManager(count)
    let slot = 1
    bench(`${count}`, async () => {
      slot = (slot + 2 * 40_507) % (2 * count)
      crowd.map(slot, 0)
      await crowd.dma.unmap(crowd.iovaOf(slot), PAGE)
    })
  }
})

describe('map a region, read it and unmap it, besides others', () => {
  const target = new Uint8Array(64)
  for (const count of COUNTS) {
    const crowd = new CrowdedManager(count)
    let slot = 1
    bench(`${count}`, async () => {
      slot = (slot + 2 * 40_507) % (2 * count)
      crowd.map(slot, 0)
      void crowd.dma.read(crowd.iovaOf(slot), target)
      await crowd.dma.unmap(crowd.iovaOf(slot), PAGE)
    })
  }
})
