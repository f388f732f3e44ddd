/** The mode of a socket file for its user alone, which is what it has unless told. */
export const SOCKET_MODE = 0o600

/** Reads a mode as chmod(1) has it: `660`, `0660`, and `0o660` too. Undefined for anything else. */
export function parseSocketMode (word: string): number | undefined {
  const digits = /^(?:0o)?([0-7]{3,4})$/.exec(word)?.[1]
  return digits === undefined ? undefined : Number.parseInt(digits, 8)
}
