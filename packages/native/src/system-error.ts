import { getSystemErrorMap } from 'node:util'

/** The error for a negative errno that a call returned, in the shape of Node's own: `code`, `errno`, `syscall`. */
export function systemError (errno: number, syscall: string): NodeJS.ErrnoException {
  const [code, reason] = getSystemErrorMap().get(errno) ?? ['UNKNOWN', 'unknown error']
  return Object.assign(new Error(`${code}: ${reason}, ${syscall}`), { code, errno, syscall })
}
