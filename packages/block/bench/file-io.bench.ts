// What a page costs on its way between a file and memory: at once from the page cache, through io_uring, and through a
// thread of libuv's pool. Each iteration moves the same number of pages, so the rows of one table compare.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, bench, describe } from 'vitest'
import { silentLogger } from '@pcikit/core'
import { openFileTransfers } from '../src/file-transfers.js'
import type { FileTransfers } from '../src/file-transfers.js'
import { FileBackend } from '../src/index.js'
import { TransferVector } from '../src/transfer-vector.js'

const PAGE = 4096
const FILE_BYTES = 64 * 1024 * 1024
const PAGES_MOVED = 256
const target = new Uint8Array(32 * PAGE).fill(3)
const folders: string[] = []

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true })
})

function createFile (parent: string): string {
  const folder = mkdtempSync(join(parent, 'pcikit-bench-'))
  folders.push(folder)
  const path = join(folder, 'disk.img')
  writeFileSync(path, new Uint8Array(FILE_BYTES).fill(1))
  return path
}

/** Pages at random, never soon the same. */
let place = 12_345
function nextPosition (): number {
  place = (Math.imul(place, 1_664_525) + 1_013_904_223) >>> 0
  return Math.floor((place / 0x1_0000_0000) * (FILE_BYTES / PAGE)) * PAGE
}

/** dd asks the kernel to forget what it has cached of the file. */
function dropCache (path: string): void {
  execFileSync('sync', [path])
  execFileSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' })
}

type Move = (position: number, piece: TransferVector) => void | Promise<unknown>

/** Keeps `depth` requests in flight, started together. With `poll`, the event loop has no part in it. */
async function movePages (depth: number, pieces: readonly TransferVector[], move: Move, poll?: () => boolean) {
  for (let moved = 0; moved < PAGES_MOVED; moved += depth) {
    let waiting = 0
    const answers: Promise<unknown>[] = []
    for (let index = 0; index < depth; index += 1) {
      const answer = move(nextPosition(), pieces[index]!)
      if (answer === undefined) continue
      waiting += 1
      answers.push(answer.then(() => waiting -= 1))
    }
    while (poll !== undefined && waiting > 0) {
      poll()
      await Promise.resolve()
    }
    await Promise.all(answers)
  }
}

const pieces = Array.from({ length: 32 }, (_, index) => {
  const vector = new TransferVector()
  vector.load(target.subarray(index * PAGE, (index + 1) * PAGE))
  return vector
})

const open = (path: string): Promise<FileBackend> =>
  FileBackend.open({ path, readOnly: false }, { blockSize: 512, logger: silentLogger })

function transfersOf (path: string, io: 'io_uring' | 'threads'): FileTransfers {
  return openFileTransfers({ path, readOnly: false, io }, openSync(path, 'r+'), silentLogger)
}

for (const [kind, parent] of [['a disk', tmpdir()], ['memory', '/dev/shm']] as const) {
  const path = createFile(parent)
  const [ring, threads] = [transfersOf(path, 'io_uring'), transfersOf(path, 'threads')]
  const disk = await open(path)
  for (const depth of [1, 32]) {
    describe(`read ${PAGES_MOVED} cached pages of a file in ${kind}, ${depth} at a time`, () => {
      bench(
        'FileBackend',
        () => movePages(depth, pieces, (position, piece) => disk.read(position / 512, piece.buffers[0]!))
      )
      bench(
        'io_uring, polled',
        () => movePages(depth, pieces, (position, piece) => ring.read(piece, position), ring.poll)
      )
      bench('io_uring', () => movePages(depth, pieces, (position, piece) => ring.read(piece, position)))
      bench('thread pool', () => movePages(depth, pieces, (position, piece) => threads.read(piece, position)))
    })
    describe(`write ${PAGES_MOVED} pages of a file in ${kind}, ${depth} at a time`, () => {
      bench(
        'FileBackend',
        () => movePages(depth, pieces, (position, piece) => disk.write(position / 512, piece.buffers[0]!))
      )
      bench(
        'io_uring, polled',
        () => movePages(depth, pieces, (position, piece) => ring.write(piece, position), ring.poll)
      )
      bench('io_uring', () => movePages(depth, pieces, (position, piece) => ring.write(piece, position)))
      bench('thread pool', () => movePages(depth, pieces, (position, piece) => threads.write(piece, position)))
    })
  }
}

describe.each([1, 32])(`read ${PAGES_MOVED} pages that the disk has, and the cache has not, %d at a time`, depth => {
  const path = createFile(tmpdir())
  const [ring, threads] = [transfersOf(path, 'io_uring'), transfersOf(path, 'threads')]
  const options = { setup: () => dropCache(path), iterations: 4, time: 0, warmupIterations: 0, warmupTime: 0 }
  bench(
    'io_uring, polled',
    () => movePages(depth, pieces, (position, piece) => ring.read(piece, position), ring.poll),
    options
  )
  bench('io_uring', () => movePages(depth, pieces, (position, piece) => ring.read(piece, position)), options)
  bench('thread pool', () => movePages(depth, pieces, (position, piece) => threads.read(piece, position)), options)
})
