import type { StandardSchema } from '@pcikit/core'

/** An option of a device, as its schema describes it. */
export interface DeviceOption {
  /** The property that the device's schema gives it: `blockSize`. */
  readonly property: string
  /** What users type, without dashes: `block-size`; an array's is in the singular, since it is given several times. */
  readonly flag: string
  readonly kind: 'string' | 'number' | 'boolean'
  readonly isList: boolean
  readonly isRequired: boolean
  readonly description: string
  /** The values that are possible, where the schema lists them. */
  readonly choices: readonly string[]
  readonly defaultValue?: unknown
}

interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly JsonSchema[]
  readonly items?: JsonSchema
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
}

/**
 * Reads the options out of a schema that can describe itself (Standard JSON Schema 1, as zod does). A schema that
 * cannot has none to show; its options are then out of the command line's reach.
 */
export function describeOptions (schema: StandardSchema): readonly DeviceOption[] {
  const described = schema['~standard'].jsonSchema?.input({ target: 'draft-2020-12' }) as JsonSchema | undefined
  const required = new Set(described?.required)
  return Object.entries(described?.properties ?? {}).map(([property, value]) => {
    const isList = value.type === 'array'
    const item = isList ? value.items ?? {} : value
    return {
      property,
      flag: toFlag(isList ? property.replace(/s$/, '') : property),
      kind: kindOf(item),
      isList,
      isRequired: required.has(property),
      description: value.description ?? '',
      choices: choicesOf(item).map(String),
      ...('default' in value ? { defaultValue: value.default } : {})
    }
  })
}

function toFlag (property: string): string {
  return property.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}

function choicesOf (schema: JsonSchema): readonly unknown[] {
  if (schema.enum !== undefined) return schema.enum
  const constants = (schema.anyOf ?? []).filter(each => 'const' in each)
  return constants.length === schema.anyOf?.length ? constants.map(each => each.const) : []
}

function kindOf (schema: JsonSchema): DeviceOption['kind'] {
  const sample = choicesOf(schema)[0]
  const type = sample === undefined ? schema.type : typeof sample
  if (type === 'integer' || type === 'number') return 'number'
  return type === 'boolean' ? 'boolean' : 'string'
}
