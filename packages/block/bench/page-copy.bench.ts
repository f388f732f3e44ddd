import { copyBytes } from '@pcikit/native'
import { bench, describe } from 'vitest'
import { MemoryBackend } from '../src/index.js'

const PAGE = 4096
const MIB = 1024 * 1024
const target = new Uint8Array(256 * PAGE)

/** Places in storage of the given size, at random, the same in each run. */
function randomPages (byteLength: number): Float64Array {
  let state = 12_345
  return Float64Array.from({ length: 4096 }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 0x1_0000_0000) * (byteLength / PAGE)) * PAGE
  })
}

const segment = {
  byteLength: PAGE,
  segmentCount: 1,
  place: 0,
  bytesAt: () => target,
  offsetAt: () => segment.place,
  lengthAt: () => PAGE
}

/**
 * How a page gets from storage to guest memory. Each call of a function copies 4096 pages. The ways behind the back end
 * are the candidates it was chosen from.
 */
describe.each([['1 MiB, which the cache holds', MIB], ['256 MiB, which it does not', 256 * MIB]])(
  '4096 pages from random places of %s',
  (_, byteLength) => {
    const pages = randomPages(byteLength)
    const storage = new Uint8Array(byteLength).fill(1)
    const { buffer } = storage
    const bufferOverStorage = Buffer.from(buffer)
    const views = Array.from({ length: byteLength / PAGE }, (__, page) => new Uint8Array(buffer, page * PAGE, PAGE))
    const disk = MemoryBackend.open(byteLength, { blockSize: 512 })
    for (let lba = 0; lba < disk.blockCount; lba += 2048) disk.write(lba, storage.subarray(0, MIB))

    function each (copy: (at: number, place: number) => void): () => void {
      return () => {
        for (let index = 0; index < pages.length; index += 1) copy(pages[index]!, (index & 255) * PAGE)
      }
    }

    bench(
      'MemoryBackend.read into a segment',
      each((at, place) => {
        segment.place = place
        disk.read(at / 512, segment)
      })
    )
    bench(
      'MemoryBackend.write from a segment',
      each((at, place) => {
        segment.place = place
        disk.write(at / 512, segment)
      })
    )
    bench(
      'set() from a view made for each copy',
      each((at, place) => {
        target.set(new Uint8Array(buffer, at, PAGE), place)
      })
    )
    bench(
      'set() from a subarray',
      each((at, place) => {
        target.set(storage.subarray(at, at + PAGE), place)
      })
    )
    bench(
      'set() from a view kept for each page',
      each((at, place) => {
        target.set(views[at / PAGE]!, place)
      })
    )
    bench('copyBytes(), which leaves nothing behind', each((at, place) => copyBytes(target, place, storage, at, PAGE)))
    bench(
      'Buffer.copy()',
      each((at, place) => {
        bufferOverStorage.copy(target, place, at, at + PAGE)
      })
    )
  }
)
