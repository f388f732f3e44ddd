import type { SchemaIssue, StandardSchema } from '@pcikit/core'
import { acceptsOthers, describeOptions } from '../device-options.js'
import type { DeviceOption } from '../device-options.js'
import { suggest } from './closest-word.js'
import { toPlain } from './config-value.js'
import type { ConfigEntry, ConfigValue } from './config-value.js'
import type { Problems, Span } from './problems.js'
import type { Written } from './read-config.js'

/** The options of a device in a file, and what they are checked against. */
export interface OptionsToCheck {
  /** What the device is. */
  readonly type: string
  readonly schema: StandardSchema
  readonly options: ConfigValue | undefined
  /** Where what is missing is missing. */
  readonly at: Span
}

/** Checks options by their schema. What is not right is added to the problems. Returns the back ends that they name. */
export async function checkOptions (checked: OptionsToCheck, problems: Problems): Promise<readonly Written[]> {
  const { type, schema, options } = checked
  if (options !== undefined && options.entries === undefined) {
    problems.add(options.at, 'options have to be a mapping, lines of `key: value`')
    return []
  }
  const entries = options?.entries ?? []
  const described = describeOptions(schema)
  const names = described.map(option => option.property)
  const isUnknown = ({ key }: ConfigEntry): boolean => !acceptsOthers(schema) && !names.includes(key)
  for (const { key, at } of entries.filter(isUnknown)) {
    problems.add(at, `unknown option \`${key}\` of ${type}; ${suggest(key, names)}`)
  }
  const known = entries.filter(entry => !isUnknown(entry))
  const plain = Object.fromEntries(known.map(({ key, value }) => [key, toPlain(value)]))
  const { issues = [] } = await schema['~standard'].validate(plain)
  for (const issue of issues) reportIssue(issue, checked, described, problems)
  return known.flatMap(({ key, value }) => {
    const option = described.find(each => each.property === key)
    if (option?.isBackend !== true) return []
    return (option.isList ? value.items ?? [] : [value]).flatMap(toWritten)
  })
}

function toWritten ({ scalar, at }: ConfigValue): readonly Written[] {
  return typeof scalar === 'string' ? [{ text: scalar, at }] : []
}

function reportIssue (
  issue: SchemaIssue,
  { type, options, at }: OptionsToCheck,
  described: readonly DeviceOption[],
  problems: Problems
): void {
  const path = (issue.path ?? []).map(part => typeof part === 'object' ? part.key : part)
  const found = path.reduce<ConfigValue | undefined>(
    (value, part) => value?.items?.[Number(part)] ?? value?.entries?.find(entry => entry.key === part)?.value,
    options
  )
  const option = described.find(each => each.property === path[0])
  const named = path.length === 0 ? `the options of ${type}` : `\`${path.map(String).join('.')}\` of ${type}`
  if (found !== undefined) problems.add(found.at, `${named}: ${explain(issue, option, found)}`)
  else if (path.length === 0) problems.add(at, `${named}: ${issue.message}`)
  else problems.add(at, `${named} is missing${option === undefined ? '' : `: ${option.description}`}`)
}

/** What a schema says, in the words of the file where it is about the form of a value. */
function explain (issue: SchemaIssue, option: DeviceOption | undefined, found: ConfigValue): string {
  const depth = issue.path?.length ?? 0
  const isItem = option?.isList === true && depth === 2
  if (option === undefined || found.entries !== undefined || depth > 1 && !isItem) return issue.message
  if (option.isList && !isItem && found.items === undefined) return `has to be a list, like [${found.source}]`
  if (option.choices.length > 0) return `can be ${option.choices.join(' or ')}`
  const isNoText = typeof found.scalar === 'number' || typeof found.scalar === 'boolean'
  return option.kind === 'string' && isNoText ? `has to be text; write '${found.source}' in quotes` : issue.message
}
