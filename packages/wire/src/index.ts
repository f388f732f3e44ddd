/**
 * Binary structures and register banks, declared as tables the way specifications print them.
 *
 * @example
 * ```ts
 * import { bits, RegisterBank, struct, u16, u32 } from '@pcikit/wire'
 *
 * const Completion = struct('Completion', 16, { result: u32(0), sqhd: u16(8), cid: u16(12), status: u16(14) })
 * const Cc = { EN: bits(0), MPS: bits(10, 7) }
 * const bank = new RegisterBank({ CC: { offset: 0x14, writable: 0x00ff_fff1 }, CSTS: { offset: 0x1c } })
 *
 * bank.onWrite('CC', value => { bank.set('CSTS', Cc.EN.get(value)) })
 * bank.write(0x14, 1)
 * const view = new DataView(new ArrayBuffer(Completion.byteLength))
 * Completion.cid.set(view, 0, bank.read(0x1c))
 * ```
 *
 * @packageDocumentation
 */
export { Ascii, ascii, Bytes, bytes, Field, U128, u128, U16, u16, U32, u32, U64, u64, U8, u8 } from './field.js'
export { struct } from './struct.js'
export type { Fields, Struct } from './struct.js'
export { Bits, bits } from './bits.js'
export { RegisterBank } from './register-bank.js'
export type { RegisterHook, RegisterReadHook, RegisterSpec, RegisterValues } from './register-bank.js'
