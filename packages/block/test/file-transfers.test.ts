import { open, readFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { silentLogger } from '@pcikit/core'
import type { Logger } from '@pcikit/core'
import { IoRing } from '@pcikit/native'
import type { FileIo } from '../src/index.js'
import { openFileTransfers } from '../src/file-transfers.js'
import type { FileTransfers } from '../src/file-transfers.js'
import { RING_SLOT_COUNT } from '../src/ring-transfers.js'
import type { RequestRing } from '../src/ring-transfers.js'
import { TransferVector } from '../src/transfer-vector.js'
import { createScratchFolder } from './scratch-folder.js'
import type { ScratchFolder } from './scratch-folder.js'

let folder: ScratchFolder
let path: string
let file: FileHandle
let ring: RequestRing | undefined
let exchanges: number
let waits: number

beforeEach(async () => {
  folder = await createScratchFolder()
  path = await folder.file('disk.img', 4 * 1024 * 1024)
  file = await open(path, 'r+')
  ring = undefined
  exchanges = 0
  waits = 0
})
afterEach(async () => {
  ring?.close()
  await file.close()
  await folder.remove()
})

function vectorOf (bytes: Uint8Array): TransferVector {
  const vector = new TransferVector()
  vector.load(bytes)
  return vector
}

/** A ring that counts system calls. */
function countingRing (slotCount: number): RequestRing {
  const made = IoRing.create(slotCount)
  ring = made
  return {
    slotCount,
    get hasAnswers () {
      return made.hasAnswers
    },
    prepareRead: (...request) => made.prepareRead(...request),
    prepareWrite: (...request) => made.prepareWrite(...request),
    prepareSync: (slot, fd) => made.prepareSync(slot, fd),
    exchange: answers => {
      exchanges += 1
      return made.exchange(answers)
    },
    wait: microseconds => {
      waits += 1
      made.wait(microseconds)
    },
    get areThreadsHere () {
      return made.areThreadsHere
    },
    onAnswer: callback => made.onAnswer(callback),
    close: () => made.close()
  }
}

const refuse = (): never => {
  throw Object.assign(new Error('EPERM: operation not permitted, io_uring_setup'), { code: 'EPERM' })
}

function openWith (io: FileIo, createRing: (slotCount: number) => RequestRing, logger: Logger = silentLogger) {
  return openFileTransfers({ path, readOnly: false, io }, file.fd, logger, createRing)
}

describe('openFileTransfers', () => {
  it('takes the thread pool where io_uring is forbidden, and says so only to those who debug', async () => {
    const lines: unknown[] = []
    const logger = { ...silentLogger, debug: (...line: unknown[]) => lines.push(line) }
    const transfers = openWith('auto', refuse, logger)
    expect(await transfers.write(vectorOf(Uint8Array.of(1, 2)), 0)).toBe(2)
    expect(transfers.poll).toBeUndefined()
    expect(lines).toEqual([[
      { path, why: 'EPERM: operation not permitted, io_uring_setup' },
      'There is no io_uring here. Files are served by the thread pool.'
    ]])
  })

  it('does not even try io_uring when threads are asked for', () => {
    expect(openWith('threads', refuse).poll).toBeUndefined()
  })

  it('fails when io_uring is asked for and there is none', () => {
    expect(() => openWith('io_uring', refuse)).toThrow(
      expect.objectContaining({
        code: 'PCIKIT_BLOCK_UNAVAILABLE',
        message: expect.stringContaining('Leave "io=io_uring" out') as string
      })
    )
  })
})

describe('who polls and may wait', () => {
  it('sleeps while several requests are in flight, or one whose thread is on its core, and then takes what was answered', () => {
    let hasAnswers = false
    let isAnsweredMeanwhile = false
    let areThreadsHere = false
    const calls: string[] = []
    const transfers = openWith('io_uring', () => ({
      slotCount: 4,
      get hasAnswers () {
        return hasAnswers
      },
      prepareRead: () => undefined,
      prepareWrite: () => undefined,
      prepareSync: () => undefined,
      exchange: () => {
        calls.push('exchange')
        return 0
      },
      wait: () => {
        calls.push('wait')
        hasAnswers = isAnsweredMeanwhile
      },
      get areThreadsHere () {
        return areThreadsHere
      },
      onAnswer: () => undefined,
      close: () => undefined
    }))
    const poll = (mayWait?: boolean): string[] => {
      transfers.poll!(mayWait)
      return calls.splice(0)
    }
    void transfers.write(vectorOf(new Uint8Array(512)), 0)
    expect([poll(true), poll(true)]).toEqual([['exchange'], []])
    areThreadsHere = true
    expect([poll(true), poll()]).toEqual([['wait'], []])
    areThreadsHere = false
    void transfers.write(vectorOf(new Uint8Array(512)), 512)
    expect([poll(true), poll(), poll(false), poll(true)]).toEqual([['exchange'], [], [], ['wait']])
    isAnsweredMeanwhile = true
    expect(poll(true)).toEqual(['wait', 'exchange'])
  })
})

describe('transfers through io_uring', () => {
  let transfers: FileTransfers
  beforeEach(({ skip }) => {
    try {
      transfers = openWith('io_uring', countingRing)
    } catch (error) {
      skip(String(error))
    }
  })

  it('hands everything asked for in one turn to the kernel with one call', async () => {
    const pages = Array.from({ length: 16 }, (_, page) => new Uint8Array(4096).fill(page))
    await Promise.all(pages.map((page, index) => transfers.write(vectorOf(page), index * 4096)))
    exchanges = 0
    const targets = pages.map(() => new Uint8Array(4096))
    const answers = targets.map((target, index) => transfers.read(vectorOf(target), index * 4096))
    const before = exchanges
    await Promise.resolve()
    const after = exchanges
    expect([before, after]).toEqual([0, 1])
    expect(await Promise.all(answers)).toEqual(pages.map(() => 4096))
    expect(targets).toEqual(pages)
  })

  it('gives the core away only when told that it may, while several requests are in flight', async () => {
    const write = (index: number): Promise<number> => transfers.write(vectorOf(new Uint8Array(4096)), index * 4096)
    const one = write(0)
    transfers.poll!()
    transfers.poll!()
    expect([await one, waits]).toEqual([4096, 0])
    const several = Array.from({ length: 8 }, (_, index) => write(index))
    let settled = false
    const all = Promise.all(several).then(results => {
      settled = true
      return results
    })
    for (let count = 0; count < 10; count += 1) transfers.poll!()
    expect(waits).toBe(0)
    while (!settled) {
      transfers.poll!(true)
      await Promise.resolve()
    }
    expect(await all).toEqual(several.map(() => 4096))
  })

  it('lets the disk begin before a long turn is over', () => {
    const answers = Array.from({ length: 40 }, (_, index) => transfers.read(vectorOf(new Uint8Array(512)), index * 512))
    expect(exchanges).toBe(1)
    return Promise.all(answers)
  })

  it('answers more requests than it has slots', async () => {
    const count = RING_SLOT_COUNT + 50
    const answers = Array.from(
      { length: count },
      (_, index) => transfers.write(vectorOf(new Uint8Array(4096).fill(1 + index % 250)), index * 4096)
    )
    expect(await Promise.all(answers)).toEqual(new Array(count).fill(4096))
    const content = await readFile(path)
    expect(answers.findIndex((_, index) => content[index * 4096] !== 1 + index % 250)).toBe(-1)
  })

  it('rejects as the thread pool does', async () => {
    const reader = await open(path, 'r')
    const spec = { path, readOnly: true, io: 'auto' } as const
    const refused = openFileTransfers(spec, reader.fd, silentLogger)
    const onThreads = openFileTransfers({ ...spec, io: 'threads' }, reader.fd, silentLogger)
    const errorOf = (using: FileTransfers): Promise<unknown> =>
      using.write(vectorOf(new Uint8Array(4)), 0).catch((error: unknown) => error)
    const [error, expected] = [await errorOf(refused), await errorOf(onThreads)] as [Error, Error]
    expect({ ...error, message: error.message }).toEqual({ ...expected, message: expected.message })
    expect(error).toMatchObject({ code: 'EBADF', syscall: 'pwritev' })
    refused.close()
    await reader.close()
  })

  it('throws for memory that was taken away, and has lost no slot by it', async () => {
    const gone = new Uint8Array(16)
    const vector = vectorOf(gone)
    structuredClone(gone.buffer, { transfer: [gone.buffer] })
    const attempts = Array.from({ length: RING_SLOT_COUNT + 1 }, () => () => transfers.read(vector, 0))
    expect(attempts.every(attempt => throws(attempt, RangeError))).toBe(true)
    expect(await transfers.read(vectorOf(new Uint8Array(16)), 0)).toBe(16)
    expect(exchanges).toBeGreaterThan(0)
  })

  it('reads less at the end of the file, and syncs', async () => {
    expect(await transfers.read(vectorOf(new Uint8Array(100)), 4 * 1024 * 1024 - 10)).toBe(10)
    expect(await transfers.sync()).toBeUndefined()
  })
})

function throws (call: () => unknown, type: new() => Error): boolean {
  try {
    call()
    return false
  } catch (error) {
    return error instanceof type
  }
}
