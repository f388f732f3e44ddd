import { DmaAccess, silentLogger } from '@pcikit/core'
import type { DmaRegion, Logger, Recorder, RecordEvent } from '@pcikit/core'
import { afterEach } from 'vitest'
import { MappedDmaManager } from '../src/mapped-dma-manager.js'
import { mappedDmaOptions } from '../src/options.js'
import type { MappedDmaOptions } from '../src/options.js'
import { MemoryFile, PAGE } from './memory-file.js'

/** A logger that keeps the sentences of its warnings and errors. */
export class SentenceLogger implements Logger {
  readonly sentences: string[] = []
  readonly trace = silentLogger.trace
  readonly debug = silentLogger.debug
  readonly info = silentLogger.info
  readonly fatal = silentLogger.fatal
  readonly warn = (_details: object, sentence: string): void => void this.sentences.push(sentence)
  readonly error = (_details: object, sentence: string): void => void this.sentences.push(sentence)

  child (): Logger {
    return this
  }
}

/** A recorder that keeps everything. */
export class ListRecorder implements Recorder {
  readonly events: RecordEvent[] = []

  record (event: RecordEvent): void {
    this.events.push(event)
  }
}

/** A manager whose bus master is on, with what it logs and records. It is closed after the test. */
export interface TestManager {
  readonly dma: MappedDmaManager
  readonly logger: SentenceLogger
  readonly recorder: ListRecorder
}

const open: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

export function makeManager (options: Partial<MappedDmaOptions> = {}): TestManager {
  const logger = new SentenceLogger()
  const recorder = new ListRecorder()
  const dma = new MappedDmaManager(mappedDmaOptions.parse({ unmapDeadlineMs: 50, ...options }), recorder, logger)
  open.push(() => dma.close())
  dma.setBusMaster(true)
  return { dma, logger, recorder }
}

/** A client's file. It is closed after the test. */
export function makeFile (byteLength: number, options: { readonly seal?: boolean } = {}): MemoryFile {
  const file = new MemoryFile(byteLength, options)
  open.push(() => file.close())
  return file
}

/** A request to map a page of a file, unless told otherwise. */
export function regionOf (file: MemoryFile, iova: number, changes: Partial<DmaRegion> = {}): DmaRegion {
  return {
    iova,
    byteLength: PAGE,
    access: DmaAccess.READ_WRITE,
    fileOffset: 0,
    ...changes,
    descriptor: changes.descriptor ?? file.share()
  }
}
