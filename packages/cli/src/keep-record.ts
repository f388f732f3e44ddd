import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { PcikitError } from '@pcikit/core'
import type { Subscription } from '@pcikit/core'
import type { EventRecord, RecordEntry } from '@pcikit/core/host'
import { describeEvents } from './event-text.js'

/** Streams the record to a file, if one is given, and prints what is in memory whenever SIGUSR2 arrives. */
export function keepRecord (record: EventRecord, file: string | undefined): Subscription {
  const stream = file === undefined ? undefined : attempt('written', file, () => openSync(file, 'w'))
  const subscription = record.subscribe(entry => {
    if (stream !== undefined) writeSync(stream, `${JSON.stringify(entry)}\n`)
  })
  const print = (): void => void process.stderr.write(describeEvents(record.entries()))
  process.on('SIGUSR2', print)
  return {
    close () {
      process.off('SIGUSR2', print)
      subscription.close()
      if (stream !== undefined) closeSync(stream)
    }
  }
}

/** Reads what {@link keepRecord} wrote. A last line that was cut off by the end of the process is left out. */
export function readRecord (file: string): readonly RecordEntry[] {
  return attempt('read', file, () => {
    const lines = readFileSync(file, 'utf8').split('\n')
    return lines.slice(0, -1).filter(line => line !== '').map(line => JSON.parse(line) as RecordEntry)
  })
}

function attempt<T> (what: string, file: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw new PcikitError(
      'PCIKIT_OPTION_INVALID',
      `The record ${file} cannot be ${what}. Give a path that you may use; \`pcikit run --record\` writes such files.`,
      { cause: error, details: { file } }
    )
  }
}
