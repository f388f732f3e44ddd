import { PcikitError } from '../errors.js'
import type { SchemaIssue, StandardSchema } from '../standard-schema.js'

/** Parses options by their schema. Throws PCIKIT_OPTION_INVALID, with every issue in its message and its details. */
export async function parseOptions<O> (
  owner: string,
  schema: StandardSchema<unknown, O>,
  options: unknown
): Promise<O> {
  const result = await schema['~standard'].validate(options)
  if (result.issues === undefined) return result.value
  const lines = result.issues.map(issue => `${nameIssue(issue)}${issue.message}`)
  throw new PcikitError(
    'PCIKIT_OPTION_INVALID',
    `The options of ${owner} are not right. ${lines.join('; ')}. ` +
      'Run `pcikit devices <device>` to see the options of a device.',
    { details: { owner, issues: result.issues.map(issue => ({ path: pathOf(issue), message: issue.message })) } }
  )
}

function nameIssue (issue: SchemaIssue): string {
  const path = pathOf(issue)
  return path === '' ? '' : `${path}: `
}

function pathOf (issue: SchemaIssue): string {
  return (issue.path ?? []).map(part => String(typeof part === 'object' ? part.key : part)).join('.')
}
