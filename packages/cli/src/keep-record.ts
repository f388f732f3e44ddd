import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { PcikitError } from '@pcikit/core'
import type { Subscription } from '@pcikit/core'
import type { EventRecord, RecordEntry } from '@pcikit/core/host'
import { describeEvents } from './event-text.js'

/** A file that a record is streamed to. */
export interface RecordOutput {
  readonly file: string
  /** The only device whose entries go there; all of them unless given. */
  readonly device?: string
}

/** Streams the record to files, and prints what is in memory whenever SIGUSR2 arrives. */
export function keepRecord (record: EventRecord, outputs: readonly RecordOutput[]): Subscription {
  const streams: { readonly device: string | undefined, readonly fd: number }[] = []
  const closeAll = (): void => streams.splice(0).forEach(({ fd }) => closeSync(fd))
  try {
    for (const { file, device } of outputs) {
      streams.push({ device, fd: attempt('written', file, () => openSync(file, 'w')) })
    }
  } catch (error) {
    closeAll()
    throw error
  }
  const subscription = record.subscribe(entry => {
    for (const { device, fd } of streams) {
      if (device === undefined || device === entry.device) writeSync(fd, `${JSON.stringify(entry)}\n`)
    }
  })
  const print = (): void => void process.stderr.write(describeEvents(record.entries()))
  process.on('SIGUSR2', print)
  return {
    close () {
      process.off('SIGUSR2', print)
      subscription.close()
      closeAll()
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
      `The record ${file} cannot be ${what}. Give a path that you may use; \`--record\` writes such files.`,
      { cause: error, details: { file } }
    )
  }
}
