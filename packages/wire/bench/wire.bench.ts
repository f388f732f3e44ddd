import { bench, describe } from 'vitest'
import { bits, RegisterBank, struct, u16, u32, u64, u8 } from '../src/index.js'

// Field objects are used on the data path because they cost nanoseconds more than literals: this is where it shows.
const Command = struct('Command', 64, {
  opcode: u8(0),
  flags: u8(1),
  cid: u16(2),
  nsid: u32(4),
  mptr: u64(16),
  prp1: u64(24),
  prp2: u64(32),
  cdw10: u32(40)
})
const view = new DataView(new ArrayBuffer(64 * 64))
const ENTRIES = 64
/** Keeps the results, so that no read is optimised away. */
const sink = { sum: 0 }

describe('64 commands of 8 fields', () => {
  bench('literal offsets', () => {
    for (let base = 0; base < ENTRIES * 64; base += 64) {
      sink.sum += view.getUint8(base) + view.getUint8(base + 1) + view.getUint16(base + 2, true) +
        view.getUint32(base + 4, true) + view.getUint32(base + 40, true)
      for (let at = 16; at < 40; at += 8) {
        sink.sum += view.getUint32(base + at, true) + view.getUint32(base + at + 4, true) * 0x1_0000_0000
      }
    }
  })

  bench('field objects', () => {
    for (let base = 0; base < ENTRIES * 64; base += 64) {
      sink.sum += Command.opcode.get(view, base) + Command.flags.get(view, base) + Command.cid.get(view, base) +
        Command.nsid.get(view, base) + Command.mptr.get(view, base) + Command.prp1.get(view, base) +
        Command.prp2.get(view, base) + Command.cdw10.get(view, base)
    }
  })
})

describe('registers', () => {
  const bank = new RegisterBank({ CC: { offset: 0x14, writable: 0x00ff_fff1 }, CSTS: { offset: 0x1c } })
  const EN = bits(0)
  bank.onWrite('CC', value => bank.set('CSTS', EN.get(value)))

  bench('write with a hook, then read, 64 times', () => {
    for (let index = 0; index < ENTRIES; index++) {
      bank.write(0x14, index)
      sink.sum += bank.read(0x1c)
    }
  })
})
