import type { SchemaResult, StandardSchema } from '@pcikit/core'
import { beforeEach, describe, expect, it } from 'vitest'
import type { PluginFixture } from '../plugin.js'
import { deviceUnderTest, loadPluginUnderTest } from './plugin-bench.js'

const UNKNOWN = 'anOptionThatNobodyKnows'
/** One value of each JSON type. */
const SAMPLES = Object.freeze(
  { boolean: true, number: 7, string: 'some text', array: [[]], object: { [UNKNOWN]: 1 }, null: null } as const
)
const SCALARS: readonly string[] = ['boolean', 'number', 'string']

interface JsonSchema {
  readonly properties?: Readonly<Record<string, { readonly type?: string | readonly string[] }>>
  readonly required?: readonly string[]
}

/** The options of a device: parsed by their schema before it is built, and what is wrong is said so. */
export function describePluginOptions (fixture: PluginFixture): void {
  describe('options', () => {
    let schema: StandardSchema
    const options = fixture.options ?? {}
    const parse = async (value: unknown): Promise<SchemaResult<unknown>> => schema['~standard'].validate(value)
    beforeEach(async () => {
      schema = deviceUnderTest(fixture, await loadPluginUnderTest(fixture)).options
    })

    it('follow Standard Schema 1', () => {
      expect(schema['~standard']).toMatchObject({ version: 1, validate: expect.any(Function) })
    })

    it('have defaults, where none is required', async ({ skip }) => {
      const { required = [] } = describedBy(schema) ?? {}
      skip(required.length > 0, `required: ${required.join(', ')}`)
      expect((await parse({})).issues).toBeUndefined()
    })

    it('parse to the same each time, and stay as they were', async () => {
      const given = structuredClone(options)
      expect(await parse(given)).toEqual(await parse(structuredClone(options)))
      expect(given).toEqual(options)
      expect((await parse(given)).issues).toBeUndefined()
    })

    it('refuse one that nobody knows, and name it', async () => {
      const { issues = [] } = await parse({ ...options, [UNKNOWN]: 1 })
      const told = issues.map(({ message, path = [] }) => `${path.map(String).join('.')} ${message}`)
      expect(told.join('; ')).toContain(UNKNOWN)
    })

    it.each([undefined, null, 7, 'text', [[]]])('refuse %o in place of options, with a message', async value => {
      expect((await parse(value)).issues?.map(({ message }) => message)).toEqual([expect.stringMatching(/\S/)])
    })

    it('refuse values of other types, each with a message that is about it', async ({ skip }) => {
      const { properties = {} } = describedBy(schema) ?? {}
      skip(Object.keys(properties).length === 0, 'no options, or a schema that does not describe itself')
      const wrong = Object.entries(properties).flatMap(([key, { type }]) =>
        valuesOtherThan(type).map(value => ({ key, value }))
      )
      const answers = await Promise.all(wrong.map(async ({ key, value }) => {
        const { issues = [] } = await parse({ ...options, [key]: value })
        const isTold = issues.some(({ message, path = [] }) => message !== '' && nameOf(path[0]) === key)
        return isTold ? [] : [`${key}: ${JSON.stringify(value) ?? 'a function'}`]
      }))
      expect(answers.flat()).toEqual([])
    })
  })
}

function describedBy (schema: StandardSchema): JsonSchema | undefined {
  return schema['~standard'].jsonSchema?.input({ target: 'draft-2020-12' })
}

/**
 * Samples of what an option of this type is not. What JSON does not have is wrong for all of them; lists and objects
 * may have a short form that their description leaves out.
 */
function valuesOtherThan (type: string | readonly string[] | undefined): readonly unknown[] {
  const nothing = (): void => undefined
  const own = type === 'integer' ? 'number' : type
  if (typeof own !== 'string' || !SCALARS.includes(own)) return [nothing]
  return [nothing, ...Object.entries(SAMPLES).filter(([name]) => name !== own).map(([, value]) => value)]
}

function nameOf (part: PropertyKey | { readonly key: PropertyKey } | undefined): PropertyKey | undefined {
  return typeof part === 'object' ? part.key : part
}
