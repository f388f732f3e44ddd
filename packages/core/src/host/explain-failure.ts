import { isPcikitError, PcikitError } from '../errors.js'
import type { PcikitErrorCode } from '../errors.js'

/**
 * What an operator is told of an error that a plugin's code threw: a PcikitError says it all by itself, others stand
 * behind one that says whose they are.
 */
export function explainFailure (error: unknown, code: PcikitErrorCode, message: string): PcikitError {
  return isPcikitError(error) ?
    error :
    new PcikitError(code, `${message} Its own message is the cause.`, { cause: error })
}
