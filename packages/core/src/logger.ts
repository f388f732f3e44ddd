/** Writes one line: values for programs, then a sentence for people. */
export type LogMethod = (details: Readonly<Record<string, unknown>>, message: string) => void

/** Where libraries and devices log. pino satisfies it as it is. Never used for each command: traces are for that. */
export interface Logger {
  readonly trace: LogMethod
  readonly debug: LogMethod
  readonly info: LogMethod
  readonly warn: LogMethod
  readonly error: LogMethod
  readonly fatal: LogMethod
  /** A logger that adds `bindings` to every line. */
  child(bindings: Readonly<Record<string, unknown>>): Logger
}

/** A logger that writes nothing. */
export const silentLogger: Logger = Object.freeze({
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  fatal: () => undefined,
  child: () => silentLogger
})
