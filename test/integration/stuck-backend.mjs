// A plugin whose block back ends do not answer: `pcikit run nvme --plugin ./stuck-backend.mjs --backend stuck-….`
import { existsSync, openSync, watch } from 'node:fs'
import { dirname } from 'node:path'
import { BLOCK_BACKEND } from '@pcikit/block'
import { contribute, definePlugin, PLUGIN_API_VERSION } from '@pcikit/core'
import { OWN_POSITION, readVector } from '@pcikit/native'

const BLOCK_COUNT = 1024
const LATE_BYTE = 0x66

/** Resolves once there is a file of this name. */
function appears (path) {
  return new Promise(resolve => {
    const watcher = watch(dirname(path), look)
    function look () {
      if (!existsSync(path)) return
      watcher.close()
      resolve()
    }
    look()
  })
}

function piecesOf (buffers) {
  return Array.from({ length: buffers.segmentCount }, (_, index) => ({
    bytes: buffers.bytesAt(index),
    offset: buffers.offsetAt(index),
    length: buffers.lengthAt(index)
  }))
}

/** A back end with a read and nothing else that matters. */
function createBackend (blockSize, read) {
  return {
    blockSize,
    blockCount: BLOCK_COUNT,
    readOnly: false,
    supportsDiscard: false,
    supportsWriteZeroes: false,
    hasVolatileCache: false,
    read,
    write: () => undefined,
    flush: () => undefined,
    writeZeroes: () => undefined,
    [Symbol.asyncDispose]: async () => undefined
  }
}

/**
 * `stuck-careless:PATH` keeps the arrays that it was given, and once PATH exists writes to them as if they were its
 * own.
 */
const careless = {
  name: 'stuck-careless',
  summary: 'Answers when a file exists, and writes to whatever it was given before.',
  usage: 'stuck-careless:PATH',
  open: async (path, { blockSize }) =>
    createBackend(blockSize, async (_, target) => {
      const pieces = piecesOf(target)
      await appears(path)
      for (const { bytes, offset, length } of pieces) {
        for (let at = offset; at < offset + length; at += 1) bytes[at] = LATE_BYTE
      }
    })
}

/** `stuck-kernel:FIFO` has the kernel read from a FIFO straight into the memory of the guest. */
const kernel = {
  name: 'stuck-kernel',
  summary: 'Reads from a FIFO, which takes as long as it takes.',
  usage: 'stuck-kernel:FIFO',
  open: async (path, { blockSize }) => {
    const fifo = openSync(path, 'r+')
    return createBackend(blockSize, async (_, target) => {
      const pieces = piecesOf(target)
      await readVector(
        fifo,
        pieces.map(({ bytes }) => bytes),
        pieces.map(({ offset }) => offset),
        pieces.map(({ length }) => length),
        pieces.length,
        OWN_POSITION
      )
    })
  }
}

/**
 * `stuck-write:PATH` keeps what is written, but does the first write only once PATH exists: with the data that it was
 * given, however old they are by then.
 */
const late = {
  name: 'stuck-write',
  summary: 'Does the first write when a file exists, and everything else at once.',
  usage: 'stuck-write:PATH',
  open: async (path, { blockSize }) => {
    const stored = new Uint8Array(BLOCK_COUNT * blockSize)
    let isFirst = true
    const read = (lba, target) => {
      let at = lba * blockSize
      for (const { bytes, offset, length } of piecesOf(target)) {
        bytes.set(stored.subarray(at, at + length), offset)
        at += length
      }
    }
    const write = (lba, source) => {
      const data = Buffer.concat(
        piecesOf(source).map(({ bytes, offset, length }) => bytes.subarray(offset, offset + length))
      )
      if (!isFirst) return void stored.set(data, lba * blockSize)
      isFirst = false
      return appears(path).then(() => stored.set(data, lba * blockSize))
    }
    return { ...createBackend(blockSize, read), write }
  }
}

export default definePlugin({
  name: 'stuck-backend',
  api: PLUGIN_API_VERSION,
  contributes: [contribute(BLOCK_BACKEND, careless), contribute(BLOCK_BACKEND, kernel), contribute(BLOCK_BACKEND, late)]
})
