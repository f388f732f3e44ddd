import type { StandardSchema } from '@pcikit/core'

/** An option of a device, as its schema describes it. */
export interface DeviceOption {
  /** The property that the device's schema gives it: `blockSize`. */
  readonly property: string
  /**
   * What users type, without dashes: `block-size`; an array's is in the singular, since it is given several times. What
   * is on unless told is switched off: `no-write-cache`.
   */
  readonly flag: string
  readonly kind: 'string' | 'number' | 'boolean'
  readonly isList: boolean
  readonly isRequired: boolean
  /** Whether its text describes a block back end: `memory:1GiB`. The schema says so with `format: 'block-backend'`. */
  readonly isBackend: boolean
  readonly description: string
  /** The values that are possible, where the schema lists them. */
  readonly choices: readonly string[]
  readonly defaultValue?: unknown
}

interface JsonSchema {
  readonly format?: string
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly JsonSchema[]
  readonly items?: JsonSchema
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: unknown
}

/**
 * Reads the options out of a schema that can describe itself (Standard JSON Schema 1, as zod does). A schema that
 * cannot has none to show; its options are then out of the command line's reach.
 */
export function describeOptions (schema: StandardSchema): readonly DeviceOption[] {
  const described = toJsonSchema(schema)
  const required = new Set(described?.required)
  return Object.entries(described?.properties ?? {}).map(([property, value]) => {
    const isList = value.type === 'array'
    const item = isList ? value.items ?? {} : value
    const kind = kindOf(item)
    const isSwitchedOff = kind === 'boolean' && value.default === true
    return {
      property,
      flag: `${isSwitchedOff ? 'no-' : ''}${toFlag(isList ? property.replace(/s$/, '') : property)}`,
      kind,
      isList,
      isRequired: required.has(property),
      isBackend: item.format === 'block-backend',
      description: value.description ?? '',
      choices: choicesOf(item).map(String),
      ...('default' in value ? { defaultValue: value.default } : {})
    }
  })
}

/** Whether there may be options that {@link describeOptions} does not know. */
export function acceptsOthers (schema: StandardSchema): boolean {
  const described = toJsonSchema(schema)
  return described?.properties === undefined || (described.additionalProperties ?? false) !== false
}

function toJsonSchema (schema: StandardSchema): JsonSchema | undefined {
  return schema['~standard'].jsonSchema?.input({ target: 'draft-2020-12' })
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
