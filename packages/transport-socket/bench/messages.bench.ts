import { silentLogger } from '@pcikit/core'
import { UnixSocket } from '@pcikit/native'
import { bench, describe } from 'vitest'
import { socketOptions } from '../src/options.js'
import { Session } from '../src/session.js'
import { FakeDevice } from '../test/fake-device.js'
import { join, message, words } from '../test/wire-bytes.js'

// Messages are parsed through one long-lived view and answered into one buffer: this is what a message costs that way.
const BATCH = 200
const NO_REPLY = 0x10

const device = new FakeDevice()
device.log.push = () => 0
const [near, client] = UnixSocket.pair()
const options = socketOptions.parse({ path: '-' })
new Session(near, { endpoint: device.endpoint, options, logger: silentLogger, onEnded: () => undefined }).start()

const write = message(10, [...words(0, 0, 0, 4), 1, 2, 3, 4], { flags: NO_REPLY })
const read = message(9, words(0, 0, 0, 4))
const posted = join(...new Array<Uint8Array>(BATCH).fill(write), read)
const reads = join(...new Array<Uint8Array>(BATCH).fill(read))
const target = new Uint8Array(1 << 16)

/** Sends bytes and waits until all answers to them are here. */
function exchange (bytes: Uint8Array, answerBytes: number): Promise<void> {
  return new Promise(resolve => {
    let missing = answerBytes
    client.onReadable(() => {
      missing -= Math.max(0, client.receive(target, 0, target.length))
      if (missing > 0) return
      client.onReadable(undefined)
      resolve()
    })
    client.send(bytes, 0, bytes.length)
  })
}

await exchange(message(1, [0, 0, 0, 0]), 20)

describe('on one thread with the client', () => {
  bench('one read, there and back', async () => {
    await exchange(read, 36)
  })

  bench(`${BATCH} reads at once`, async () => {
    await exchange(reads, BATCH * 36)
  })

  bench(`${BATCH} posted writes and a read at once`, async () => {
    await exchange(posted, 36)
  })
})
