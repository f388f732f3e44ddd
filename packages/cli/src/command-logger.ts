import type { Logger } from '@pcikit/core'
import { pino } from 'pino'
import type { Logger as PinoLogger } from 'pino'
import pretty from 'pino-pretty'

/** How the command logs. */
export interface LoggerOptions {
  readonly level: string
  readonly format: 'text' | 'json'
  /** Levels of devices, by name, that have one of their own. */
  readonly deviceLevels?: Readonly<Record<string, string>>
}

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

const STDERR = 2

/** A logger that writes to standard error at once, so that no line is lost when the process ends. */
export function createLogger (options: LoggerOptions): Logger {
  const destination = options.format === 'json' ?
    pino.destination({ dest: STDERR, sync: true }) :
    pretty({
      destination: STDERR,
      sync: true,
      singleLine: true,
      colorize: process.stderr.isTTY,
      ignore: 'pid,hostname,device,address',
      messageFormat: (line, key) =>
        `${typeof line['device'] === 'string' ? `${line['device']}: ` : ''}${String(line[key])}`
    })
  const levels = new Map(Object.entries(options.deviceLevels ?? {}))
  const onChild = (child: PinoLogger): void => {
    child.level = levels.get(String(child.bindings()['device'])) ?? child.level
  }
  return pino({ level: options.level, base: null, onChild }, destination)
}
