import { Field } from '@pcikit/wire'
import { IdentifyControllerLayout, IdentifyNamespaceLayout, Lbaf } from './layouts.js'

type Decoded<Layout> = { readonly [Key in Exclude<keyof Layout, 'byteLength'>]: FieldValue<Layout[Key]> }
type FieldValue<F> = F extends { get: (view: DataView, base: number) => infer Value } ? Value : never

/** Identify Controller, decoded. Names are the specification's. */
export type ControllerIdentity = Decoded<typeof IdentifyControllerLayout>

/** Identify Namespace, decoded. Names are the specification's, but for the size of a block. */
export type NamespaceIdentity = Decoded<typeof IdentifyNamespaceLayout> & {
  /** Bytes in a logical block of the format in use. */
  readonly blockBytes: number
}

/** Reads the fields of a structure into an object. */
function decode<Layout extends object> (layout: Layout, bytes: Uint8Array): Decoded<Layout> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const fields = (Object.entries(layout) as [string, unknown][]).flatMap(([key, field]) =>
    field instanceof Field ? [[key, field.get(view, 0)] as const] : []
  )
  return Object.fromEntries(fields) as Decoded<Layout>
}

/** Decodes what Identify with CNS 01h returned. */
export function decodeController (bytes: Uint8Array): ControllerIdentity {
  return decode(IdentifyControllerLayout, bytes)
}

/** Decodes what Identify with CNS 00h returned. */
export function decodeNamespace (bytes: Uint8Array): NamespaceIdentity {
  const fields = decode(IdentifyNamespaceLayout, bytes)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const format = view.getUint32(IdentifyNamespaceLayout.lbaf0.offset + 4 * (fields.flbas & 0xf), true)
  return { ...fields, blockBytes: 2 ** Lbaf.LBADS.get(format) }
}
