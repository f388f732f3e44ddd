import { constants } from 'node:os'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  closeDescriptor,
  createMemoryFile,
  describeDescriptor,
  DESCRIPTORS_PER_MESSAGE_MAX,
  UnixSocket,
  WOULD_BLOCK
} from '../src/index.js'
import { runWithAddon } from './addon-process.js'
import { openDescriptorCount } from './open-descriptors.js'

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

describe('UnixSocket', () => {
  let near: UnixSocket
  let far: UnixSocket
  let descriptorsBefore: number

  beforeEach(() => {
    descriptorsBefore = openDescriptorCount()
    const pair = UnixSocket.pair()
    near = pair[0]
    far = pair[1]
  })

  afterEach(() => {
    near.close()
    far.close()
    expect(openDescriptorCount()).toBeLessThanOrEqual(descriptorsBefore)
  })

  it('carries bytes into the part of the target that was named', () => {
    expect(near.send(bytes(9, 1, 2, 3, 9), 1, 3)).toBe(3)
    const target = new Uint8Array(6)
    expect(far.receive(target, 2, 4)).toBe(3)
    expect([...target]).toEqual([0, 0, 1, 2, 3, 0])
  })

  it('says that it would block when there is nothing to receive', () => {
    expect(far.receive(new Uint8Array(1), 0, 1)).toBe(WOULD_BLOCK)
  })

  it('receives what was sent before the end of the stream, then 0', () => {
    near.send(bytes(1), 0, 1)
    near.close()
    expect(far.receive(new Uint8Array(4), 0, 4)).toBe(1)
    expect(far.receive(new Uint8Array(4), 0, 4)).toBe(0)
  })

  it('splits one message over several receives', () => {
    near.send(bytes(1, 2, 3), 0, 3)
    const target = new Uint8Array(3)
    expect(far.receive(target, 0, 2)).toBe(2)
    expect(far.receive(target, 2, 1)).toBe(1)
    expect([...target]).toEqual([1, 2, 3])
  })

  it('sends part of a message when the buffer of the kernel is full', () => {
    const large = new Uint8Array(8 << 20)
    const sent = near.send(large, 0, large.length)
    expect(sent).toBeGreaterThan(0)
    expect(sent).toBeLessThan(large.length)
    expect(near.send(large, sent, large.length - sent)).toBe(WOULD_BLOCK)
  })

  it('sends a header and a payload as one message', () => {
    expect(near.sendParts(bytes(1, 2), 0, 2, bytes(3, 4, 5), 1, 2)).toBe(4)
    const target = new Uint8Array(8)
    expect(far.receive(target, 0, 8)).toBe(4)
    expect([...target.subarray(0, 4)]).toEqual([1, 2, 4, 5])
  })

  it('returns an errno when the other side is gone, and raises no signal', () => {
    far.close()
    expect(near.send(bytes(1), 0, 1)).toBe(-constants.errno.EPIPE)
  })

  it('returns EBADF once closed', () => {
    near.close()
    expect(near.fd).toBe(-1)
    expect(near.send(bytes(1), 0, 1)).toBe(-constants.errno.EBADF)
    expect(near.receive(new Uint8Array(1), 0, 1)).toBe(-constants.errno.EBADF)
    expect(() => near.close()).not.toThrow()
  })

  it('ends the stream in one direction', () => {
    near.shutdown('write')
    expect(far.receive(new Uint8Array(1), 0, 1)).toBe(0)
    expect(far.send(bytes(7), 0, 1)).toBe(1)
    expect(near.receive(new Uint8Array(1), 0, 1)).toBe(1)
  })

  describe('with descriptors', () => {
    let file: number

    beforeEach(() => {
      file = createMemoryFile('carried', 4096)
    })
    afterEach(() => closeDescriptor(file))

    it('carries a descriptor of the same file', () => {
      near.send(bytes(1), 0, 1, [file])
      const received: number[] = []
      expect(far.receive(new Uint8Array(8), 0, 8, received)).toBe(1)
      expect(far.receivedFdCount).toBe(1)
      expect(describeDescriptor(received[0] as number).inode).toBe(describeDescriptor(file).inode)
      received.forEach(closeDescriptor)
    })

    it('carries as many descriptors as the kernel allows', () => {
      near.send(bytes(1), 0, 1, new Array<number>(DESCRIPTORS_PER_MESSAGE_MAX).fill(file))
      const received: number[] = []
      far.receive(new Uint8Array(1), 0, 1, received)
      expect(new Set(received).size).toBe(DESCRIPTORS_PER_MESSAGE_MAX)
      received.forEach(closeDescriptor)
    })

    it('refuses more descriptors than that, and sends nothing', () => {
      const many = new Array<number>(DESCRIPTORS_PER_MESSAGE_MAX + 1).fill(file)
      expect(() => near.send(bytes(1), 0, 1, many)).toThrow(RangeError)
      expect(far.receive(new Uint8Array(1), 0, 1)).toBe(WOULD_BLOCK)
    })

    it('refuses descriptors without a byte to carry them', () => {
      expect(() => near.send(bytes(1), 0, 0, [file])).toThrow(RangeError)
    })

    it('returns an errno for a descriptor that is not open', () => {
      expect(near.send(bytes(1), 0, 1, [99_999])).toBe(-constants.errno.EBADF)
    })

    it('appends to the list and counts those of the last receive only', () => {
      near.send(bytes(1), 0, 1, [file])
      near.send(bytes(2), 0, 1, [file])
      const received: number[] = []
      far.receive(new Uint8Array(1), 0, 1, received)
      far.receive(new Uint8Array(1), 0, 1, received)
      expect(received).toHaveLength(2)
      expect(far.receivedFdCount).toBe(1)
      expect(far.receive(new Uint8Array(1), 0, 1, received)).toBe(WOULD_BLOCK)
      expect(far.receivedFdCount).toBe(0)
      received.forEach(closeDescriptor)
    })

    it('keeps the bytes of messages with descriptors apart', () => {
      near.send(bytes(1, 1), 0, 2, [file])
      near.send(bytes(2, 2), 0, 2, [file])
      const received: number[] = []
      const target = new Uint8Array(8)
      expect(far.receive(target, 0, 8, received)).toBe(2)
      expect(received).toHaveLength(1)
      expect(far.receive(target, 0, 8, received)).toBe(2)
      expect(received).toHaveLength(2)
      received.forEach(closeDescriptor)
    })

    it('closes descriptors that nobody asked for', () => {
      const before = openDescriptorCount()
      near.send(bytes(1), 0, 1, [file, file, file])
      expect(far.receive(new Uint8Array(1), 0, 1)).toBe(1)
      expect(openDescriptorCount()).toBeLessThanOrEqual(before)
    })

    it('leaves descriptors that were never received to the kernel', () => {
      const before = openDescriptorCount()
      near.send(bytes(1), 0, 1, [file, file])
      far.close()
      expect(openDescriptorCount()).toBeLessThan(before)
    })
  })

  it('tells that descriptors were lost, and hands over the others, when the process may open no more', async () => {
    const end = await runWithAddon(`
      const [first, second] = native.socketPair()
      const near = new native.Socket(first), far = new native.Socket(second)
      const file = native.createMemoryFile('f', 1, 0)
      near.send(new Uint8Array(1), 0, 1, [file, file, file, file])
      const open = []
      for (;;) { try { open.push(fs.openSync('/dev/null')) } catch (error) { break } }
      fs.closeSync(open.pop())
      fs.closeSync(open.pop())
      const result = far.receive(new Uint8Array(1), 0, 1)
      console.log(result, far.received[0], far.received[1])
    `)
    expect(end.output.trim()).toBe('1 2 1')
  })

  describe('readiness', () => {
    it('calls back when there is something to receive', async () => {
      const target = new Uint8Array(4)
      const received = new Promise<number>(resolve => {
        far.onReadable(() => {
          far.onReadable(undefined)
          resolve(far.receive(target, 0, 4))
        })
      })
      near.send(bytes(5), 0, 1)
      expect(await received).toBe(1)
    })

    it('calls back at the end of the stream', async () => {
      const received = new Promise<number>(resolve => {
        far.onReadable(() => {
          far.onReadable(undefined)
          resolve(far.receive(new Uint8Array(1), 0, 1))
        })
      })
      near.close()
      expect(await received).toBe(0)
    })

    it('calls back when the other side left with bytes unread, and goes on with the end of the stream', async () => {
      far.send(bytes(1), 0, 1)
      near.send(bytes(1), 0, 1)
      const results: number[] = []
      const ended = new Promise<void>(resolve => {
        far.onReadable(() => {
          const result = far.receive(new Uint8Array(4), 0, 4)
          results.push(result)
          if (result !== 0) return
          far.close()
          resolve()
        })
      })
      near.close()
      await ended
      expect(results.slice(-1)).toEqual([0])
      expect(results).toContain(1)
    })

    it('calls back when there is room to send again', async () => {
      const large = new Uint8Array(8 << 20)
      near.send(large, 0, large.length)
      const writable = new Promise<void>(resolve => {
        near.onWritable(() => {
          near.onWritable(undefined)
          resolve()
        })
      })
      const drain = new Uint8Array(1 << 20)
      while (far.receive(drain, 0, drain.length) > 0);
      await writable
      expect(near.send(bytes(1), 0, 1)).toBe(1)
    })

    it('serves both directions at once', async () => {
      const order: string[] = []
      near.send(bytes(1), 0, 1)
      await new Promise<void>(resolve => {
        far.onReadable(() => {
          far.onReadable(undefined)
          order.push('readable')
        })
        far.onWritable(() => {
          far.onWritable(undefined)
          order.push('writable')
          resolve()
        })
      })
      expect(order).toEqual(['readable', 'writable'])
    })

    it('can be closed inside its own callback, with the other callback due', async () => {
      near.send(bytes(1), 0, 1)
      const calls: string[] = []
      await new Promise<void>(resolve => {
        far.onWritable(() => calls.push('writable'))
        far.onReadable(() => {
          calls.push('readable')
          far.close()
          setImmediate(resolve)
        })
      })
      expect(calls).toEqual(['readable'])
    })

    it('runs microtasks and ticks of one callback before the next', async () => {
      const order: string[] = []
      near.send(bytes(1), 0, 1)
      await new Promise<void>(resolve => {
        far.onReadable(() => {
          far.onReadable(undefined)
          process.nextTick(() => order.push('tick'))
          void Promise.resolve().then(() => order.push('microtask'))
        })
        far.onWritable(() => {
          far.onWritable(undefined)
          order.push('next callback')
          resolve()
        })
      })
      expect(order).toEqual(['tick', 'microtask', 'next callback'])
    })

    it('calls nobody after the callback was taken away', async () => {
      let calls = 0
      far.onReadable(() => {
        calls += 1
      })
      far.onReadable(undefined)
      near.send(bytes(1), 0, 1)
      await new Promise(setImmediate)
      await new Promise(setImmediate)
      expect(calls).toBe(0)
    })

    it('throws a system error for a callback on a closed socket', () => {
      far.close()
      expect(() => far.onReadable(() => {})).toThrow(expect.objectContaining({ code: 'EBADF' }))
      expect(() => far.onReadable(undefined)).not.toThrow()
    })

    it('makes an uncaught exception of what a callback throws, and goes on', async () => {
      const end = await runWithAddon(`
        const [first, second] = native.socketPair()
        const near = new native.Socket(first), far = new native.Socket(second)
        process.on('uncaughtException', error => {
          console.log(error.message)
          far.onReadable(() => { console.log('again'); far.close(); near.close() })
        })
        far.onReadable(() => { throw new Error('from the callback') })
        near.send(new Uint8Array(1), 0, 1)
      `)
      expect(end).toEqual({ code: 0, signal: null, output: 'from the callback\nagain\n' })
    })

    it('keeps the process running only while it is referenced and has a callback', async () => {
      const end = await runWithAddon(`
        const sockets = native.socketPair().map(fd => new native.Socket(fd))
        sockets[0].onReadable(() => {})
        sockets[0].setReferenced(false)
        sockets[1].onReadable(() => {})
        sockets[1].onReadable(undefined)
        console.log('end')
      `)
      expect(end.output).toBe('end\n')
    })

    it('survives the collection of its object while a callback is set', async () => {
      const end = await runWithAddon(`
        const [first, second] = native.socketPair()
        const near = new native.Socket(first)
        ;(() => {
          const far = new native.Socket(second)
          far.onReadable(() => { console.log('called'); process.exit() })
        })()
        setImmediate(() => { gc(); setImmediate(() => { gc(); near.send(new Uint8Array(1), 0, 1) }) })
      `)
      expect(end.output).toBe('called\n')
    })

    it('closes the descriptor of a forgotten socket', async () => {
      const end = await runWithAddon(`
        const count = () => fs.readdirSync('/proc/self/fd').length
        const before = count()
        ;(() => { for (const fd of native.socketPair()) new native.Socket(fd) })()
        const check = tries => {
          gc()
          if (count() === before) console.log('closed')
          else if (tries > 0) setImmediate(check, tries - 1)
        }
        setImmediate(check, 20)
      `)
      expect(end.output).toBe('closed\n')
    })
  })

  describe('arguments', () => {
    const target = new Uint8Array(8)
    it.each([
      ['a target that is no Uint8Array', () => far.receive(new DataView(target.buffer) as never, 0, 1), TypeError],
      ['another typed array', () => far.receive(new Uint16Array(4) as never, 0, 1), TypeError],
      ['an offset past the end', () => far.receive(target, 9, 1), RangeError],
      ['a length past the end', () => far.receive(target, 4, 5), RangeError],
      ['an empty receive', () => far.receive(target, 0, 0), RangeError],
      ['a negative offset', () => far.receive(target, -1, 1), RangeError],
      ['a fraction', () => far.receive(target, 0.5, 1), RangeError],
      ['not a number', () => far.receive(target, NaN, 1), RangeError],
      ['an offset and a length that overflow', () => far.receive(target, 2 ** 53 - 1, 2 ** 53 - 1), RangeError],
      ['a string', () => far.receive(target, '0' as never, 1), TypeError],
      ['descriptors that are no list', () => far.send(target, 0, 1, 7 as never), TypeError],
      ['descriptors that are no numbers', () => far.send(target, 0, 1, ['x'] as never), TypeError],
      ['a negative descriptor', () => far.send(target, 0, 1, [-1]), RangeError],
      ['a callback that is no function', () => far.onReadable(5 as never), TypeError]
    ])('refuses %s', (_name, call, type) => {
      expect(call).toThrow(type)
    })

    it('refuses a target that was detached', () => {
      const detached = new Uint8Array(8)
      structuredClone(detached, { transfer: [detached.buffer] })
      expect(() => far.receive(detached, 0, 1)).toThrow(RangeError)
    })

    it('refuses methods on an object of another class', async () => {
      const end = await runWithAddon(`
        const mapping = new native.Mapping(-1, 0, 4096, true, true)
        for (const receiver of [mapping, {}, undefined, Object.create(native.Socket.prototype)]) {
          try { native.Socket.prototype.close.call(receiver) } catch (error) { console.log(error.name) }
        }
      `)
      expect(end.output).toBe('TypeError\n'.repeat(4))
    })
  })

  describe('from a descriptor', () => {
    it('refuses what is not a UNIX stream socket and leaves it open', () => {
      const file = createMemoryFile('file', 1)
      expect(() => UnixSocket.fromDescriptor(file)).toThrow(expect.objectContaining({ code: 'ENOTSOCK' }))
      expect(describeDescriptor(file).type).toBe('file')
      closeDescriptor(file)
    })

    it('refuses a descriptor that is not open', () => {
      expect(() => UnixSocket.fromDescriptor(99_999)).toThrow(expect.objectContaining({ code: 'EBADF' }))
    })
  })
})
