import { ascii, bits, RegisterBank, struct, u32, u64 } from '../src/index.js'
import type { Field, RegisterSpec } from '../src/index.js'

/** What must and must not compile. Checked with the other tests by tsconfig.tests.json; never run. */
export function typesOfStructures (view: DataView): void {
  const Sample = struct('Sample', 32, { low: u32(0), high: u64(8), name: ascii(16, 8) })
  const low: number = Sample.low.get(view, 0)
  const name: string = Sample.name.get(view, low)
  const byteLength: number = Sample.byteLength
  Sample.name.set(view, byteLength, name)

  // @ts-expect-error a field holds numbers
  Sample.low.set(view, 0, 1n)
  // @ts-expect-error text is not a number
  Sample.name.set(view, 0, 1)
  // @ts-expect-error there is no such field
  const missing: keyof typeof Sample = 'middle'
  Sample.low.set(view, 0, String(missing).length)
  // @ts-expect-error a declaration does not change
  Sample.byteLength = 1
  // @ts-expect-error fields are made by their factories
  struct('Bad', 8, { low: 0 })
}

/** Registers are known by name. */
export function typesOfRegisters (): void {
  const specs = { CC: { offset: 0x14, writable: 1 }, CSTS: { offset: 0x1c } } as const satisfies Record<
    string,
    RegisterSpec
  >
  const bank = new RegisterBank(specs)
  bank.onWrite('CC', (value, previous) => bank.set('CSTS', value - previous))
  const enabled: boolean = bits(0).isSet(bank.get('CC'))
  bank.write(0x14, enabled ? 1 : 0)

  // @ts-expect-error there is no such register
  bank.get('AQA')
  // @ts-expect-error the driver's side goes by offset
  bank.write('CC', 1)
}

/** Fields are typed by what they hold. */
export function typesOfFields (number: Field, text: Field<string>): void {
  const fields: Field<unknown>[] = [number, text]
  fields.length = 0
}
