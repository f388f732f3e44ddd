import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DmaAccess, DmaFault } from '@pcikit/core'
import { EventRecord } from '@pcikit/core/host'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { describeEvents } from '../src/event-text.js'
import { keepRecord, readRecord } from '../src/keep-record.js'

/** A region that is mapped, faults and goes, and one beside it that stays. */
function fillRecord (record: EventRecord): EventRecord {
  const recorder = record.forDevice('nvme')
  recorder.record({ type: 'client', connected: true })
  recorder.record({ type: 'map', iova: 0x1000, byteLength: 0x1000, access: DmaAccess.READ_WRITE, fileOffset: 0x8000 })
  recorder.record({ type: 'map', iova: 0x2000, byteLength: 0x1000, access: DmaAccess.READ })
  recorder.record({ type: 'unmap', iova: 0x1000, byteLength: 0x1000, durationMs: 0.25 })
  const access = DmaAccess.WRITE
  recorder.record({ type: 'fault', iova: 0x1800, byteLength: 512, access, fault: DmaFault.UNMAPPED })
  return record
}

describe('describeEvents', () => {
  it('prints a line for each event, with its order, range and reason', () => {
    const lines = describeEvents(fillRecord(new EventRecord()).entries()).trimEnd().split('\n')
    expect(lines).toHaveLength(5)
    expect(lines[1]).toMatch(/^#2 .* nvme {2}map {6}\[0x1000, 0x2000\) READ_WRITE file offset 0x8000$/)
    expect(lines[2]).toMatch(/map {6}\[0x2000, 0x3000\) READ by message$/)
    expect(lines[3]).toMatch(/unmap {4}\[0x1000, 0x2000\) took 0\.250 ms$/)
    expect(lines[4]).toMatch(/fault {4}\[0x1800, 0x1a00\) WRITE UNMAPPED$/)
  })

  it('tells what happened to an address', () => {
    const text = describeEvents(fillRecord(new EventRecord()).entries(), { iova: 0x1234 })
    expect(text).toContain('nvme: 0x1234 is not mapped, #4 removed it.')
    expect(text).not.toContain('0x3000')
    const other = describeEvents(fillRecord(new EventRecord()).entries(), { iova: 0x2000 })
    expect(other).toContain('nvme: 0x2000 is mapped, by #3.')
  })

  it('says so when nothing was ever mapped there', () => {
    expect(describeEvents(fillRecord(new EventRecord()).entries(), { iova: 0x9000 }))
      .toContain('nvme: nothing was mapped at 0x9000.')
    expect(describeEvents([], { iova: 0x9000 })).toContain('The record says nothing about 0x9000.')
  })
})

describe('keepRecord', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pcikit-record-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('streams JSON lines that are read back', () => {
    const file = join(folder, 'record.jsonl')
    const record = new EventRecord()
    const keeping = keepRecord(record, [{ file }])
    fillRecord(record)
    expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(6)
    keeping.close()
    expect(readRecord(file)).toEqual(record.entries())
  })

  it('streams what concerns one device to a file of its own', () => {
    const record = new EventRecord()
    const [all, one] = [join(folder, 'all.jsonl'), join(folder, 'one.jsonl')]
    const keeping = keepRecord(record, [{ file: all }, { file: one, device: 'data' }])
    record.forDevice('boot').record({ type: 'client', connected: true })
    record.forDevice('data').record({ type: 'client', connected: false })
    keeping.close()
    expect([readRecord(all), readRecord(one)].map(entries => entries.map(entry => entry.device)))
      .toEqual([['boot', 'data'], ['data']])
  })

  it('says that a record cannot be read or written', () => {
    const missing = join(folder, 'none', 'record.jsonl')
    expect(() => readRecord(missing)).toThrowError(expect.objectContaining({ code: 'PCIKIT_OPTION_INVALID' }))
    expect(() => keepRecord(new EventRecord(), [{ file: missing }]))
      .toThrowError(expect.objectContaining({ code: 'PCIKIT_OPTION_INVALID' }))
  })
})
