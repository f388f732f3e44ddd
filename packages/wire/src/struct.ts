import type { Field } from './field.js'

/** The fields of a structure by name. */
export type Fields = Readonly<Record<string, Field<unknown>>>

/** A declared structure: its fields, and its size in bytes. */
export type Struct<F extends Fields> = Readonly<F> & { readonly byteLength: number }

/**
 * Declares a structure the way a specification's table prints it. Throws RangeError, while the module loads, when
 * fields are out of order, overlap or leave the structure.
 *
 * @example struct('Message', 8, { id: u16(0), command: u16(2), size: u32(4) })
 */
export function struct<const F extends Fields> (name: string, byteLength: number, fields: F): Struct<F> {
  let end = 0
  for (const [key, field] of Object.entries(fields)) {
    if (key === 'byteLength') {
      throw new RangeError(`${name}.byteLength is the size of the structure; name it otherwise.`)
    }
    if (field.offset < end) throw new RangeError(`${name}.${key} overlaps the field before it, or is out of order.`)
    end = field.offset + field.size
  }
  if (end > byteLength) throw new RangeError(`${name} is ${byteLength} bytes, its fields need ${end}.`)
  return Object.freeze({ ...fields, byteLength })
}
