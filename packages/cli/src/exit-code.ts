import { isPcikitError } from '@pcikit/core'
import type { PcikitError, PcikitErrorCode } from '@pcikit/core'
import { CommanderError } from 'commander'

/** What the user typed was wrong. */
export const EXIT_USAGE = 2
/** What the user asked for could not be done. */
export const EXIT_FAILURE = 1

const USAGE_CODES: ReadonlySet<PcikitErrorCode> = new Set([
  'PCIKIT_CONFIG_INVALID',
  'PCIKIT_CONFIG_UNREADABLE',
  'PCIKIT_OPTION_INVALID',
  'PCIKIT_BLOCK_SPEC_INVALID',
  'PCIKIT_EXTENSION_NOT_FOUND',
  'PCIKIT_PLUGIN_NOT_FOUND'
])

/** What nobody throws on purpose. */
const MISTAKES: readonly string[] = ['AssertionError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError']

/** How an error ends the process, and what is printed of it: undefined where commander printed it already. */
export function explainExit (error: unknown): { readonly code: number, readonly message?: string } {
  if (error instanceof CommanderError) return { code: error.exitCode === 0 ? 0 : EXIT_USAGE }
  const code = isPcikitError(error) && USAGE_CODES.has(error.code) ? EXIT_USAGE : EXIT_FAILURE
  return { code, message: `error: ${describeError(error)}` }
}

/** The message and the causes behind it; the stack too where the error is nobody's but ours. */
export function describeError (error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const own = isPcikitError(error) ? withCode(error) : error.stack ?? error.message
  const causes: string[] = []
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    causes.push(`\n  cause: ${isPcikitError(cause) ? withCode(cause) : textOf(cause)}`)
    if (cause instanceof AggregateError) causes.push(...cause.errors.map(each => `\n  cause: ${describeError(each)}`))
  }
  return own + causes.join('')
}

/** The stack of a mistake in somebody's program, the message of anything else. */
function textOf (error: Error): string {
  return MISTAKES.includes(error.name) ? error.stack ?? error.message : error.message
}

/** The message with its code behind its first line. */
function withCode ({ message, code }: PcikitError): string {
  return message.replace(/$/m, ` [${code}]`)
}
