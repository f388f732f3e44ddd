import { closeSync, openSync } from 'node:fs'
import { DmaAccess, DmaFault, Errno } from '@pcikit/core'
import { addSeals, Seal } from '@pcikit/native'
import { describe, expect, it, vi } from 'vitest'
import { PAGE } from './memory-file.js'
import { makeFile, makeManager, regionOf } from './test-manager.js'

describe('FileTable', () => {
  it('keeps one descriptor of a file, however many regions it has', () => {
    const { dma } = makeManager()
    const file = makeFile(500 * PAGE)
    for (let page = 0; page < 500; page += 1) dma.map(regionOf(file, page * PAGE, { fileOffset: page * PAGE }))
    expect(file.descriptorCount).toBe(2)
  })

  it('keeps the descriptor until the last region went', async () => {
    const { dma } = makeManager()
    const file = makeFile(2 * PAGE)
    dma.map(regionOf(file, 0))
    dma.map(regionOf(file, PAGE, { fileOffset: PAGE }))
    await dma.unmap(0, PAGE)
    expect(dma.write(PAGE, Uint8Array.of(9))).toBe(DmaFault.NONE)
    expect(file.read(PAGE, 1)).toEqual([9])
  })

  it('tells files apart', () => {
    const { dma } = makeManager()
    const files = [makeFile(PAGE), makeFile(PAGE)]
    files.forEach((file, index) => dma.map(regionOf(file, index * PAGE)))
    void dma.write(PAGE, Uint8Array.of(9))
    expect(files.map(file => file.read(0, 1))).toEqual([[0], [9]])
  })

  it('tells descriptors that allow writing from those that do not', () => {
    const { dma } = makeManager()
    const file = makeFile(2 * PAGE)
    const descriptor = openSync(`/proc/self/fd/${file.descriptor}`, 'r')
    dma.map(regionOf(file, 0, { descriptor, access: DmaAccess.READ }))
    dma.map(regionOf(file, PAGE))
    expect(dma.write(PAGE, Uint8Array.of(9))).toBe(DmaFault.NONE)
    expect(dma.read(0, new Uint8Array(1))).toBe(DmaFault.NONE)
  })

  it('refuses a writable region of what cannot be written: EACCES', () => {
    const { dma } = makeManager()
    const file = makeFile(PAGE)
    const sealed = makeFile(PAGE)
    addSeals(sealed.descriptor, Seal.FUTURE_WRITE)
    const descriptor = openSync(`/proc/self/fd/${file.descriptor}`, 'r')
    const refused = expect.objectContaining({ errno: Errno.EACCES })
    expect(() => dma.map(regionOf(file, 0, { descriptor }))).toThrow(refused)
    expect(() => dma.map(regionOf(sealed, 0))).toThrow(refused)
    expect([file.descriptorCount, sealed.descriptorCount, dma.regionCount]).toEqual([1, 1, 0])
  })

  it('refuses what is no memory, while the client can be told', () => {
    const { dma } = makeManager()
    const file = makeFile(PAGE)
    const nothing = openSync('/dev/null', 'r+')
    const closed = 2 ** 20 // More than a process may have.
    expect(() => dma.map(regionOf(file, 0, { descriptor: nothing })))
      .toThrow(expect.objectContaining({ errno: Errno.ENODEV }))
    expect(() => dma.map(regionOf(file, 0, { descriptor: closed })))
      .toThrow(expect.objectContaining({ errno: Errno.EBADF }))
    expect(() => closeSync(nothing)).toThrow('EBADF')
  })
})

describe('a file that shrinks', () => {
  it('faults, and does not end the process', () => {
    const { dma } = makeManager()
    const file = makeFile(4 * PAGE)
    dma.map(regionOf(file, 0, { byteLength: 4 * PAGE }))
    void dma.write(3 * PAGE, Uint8Array.of(1))
    file.truncate(PAGE)
    expect(dma.read(3 * PAGE, new Uint8Array(4))).toBe(DmaFault.PAST_END_OF_FILE)
    expect(dma.write(3 * PAGE, new Uint8Array(4))).toBe(DmaFault.PAST_END_OF_FILE)
    expect(dma.read(0, new Uint8Array(4))).toBe(DmaFault.NONE)
  })

  it('is told by the commit of a lease that was open on it', () => {
    const { dma } = makeManager()
    const file = makeFile(2 * PAGE)
    dma.map(regionOf(file, 0, { byteLength: 2 * PAGE }))
    const lease = dma.createLease()
    lease.open(DmaAccess.READ_WRITE)
    lease.append(PAGE, 4)
    file.truncate(PAGE)
    lease.bytesAt(0)[lease.offsetAt(0)] = 1
    expect(lease.commit()).toBe(DmaFault.PAST_END_OF_FILE)
    expect(lease.faultIova).toBe(PAGE)
    lease.close()
  })

  it('is told by the commit of a peek, wherever else was looked meanwhile', () => {
    const { dma } = makeManager()
    const file = makeFile(2 * PAGE)
    dma.map(regionOf(file, 0, { byteLength: 2 * PAGE }))
    void dma.read(PAGE, new Uint8Array(4))
    const peek = dma.createPeek()
    const found = peek.locate(PAGE, 4, DmaAccess.WRITE)
    peek.bytes[peek.position] = 1
    expect([found, peek.commit()]).toEqual([true, DmaFault.NONE])
    file.truncate(PAGE)
    peek.bytes[peek.position] = 2
    dma.createPeek().locate(0, 4, DmaAccess.READ)
    expect(peek.commit()).toBe(DmaFault.PAST_END_OF_FILE)
  })

  it('is found by looking from time to time', async () => {
    const { dma } = makeManager({ fileCheckMs: 5 })
    const file = makeFile(2 * PAGE)
    dma.map(regionOf(file, 0, { byteLength: 2 * PAGE }))
    const window = dma.openWindow(PAGE, 4, DmaAccess.READ)
    window.locate(0, 4)
    file.truncate(PAGE)
    await vi.waitFor(() => expect([window.locate(0, 4), window.fault]).toEqual([false, DmaFault.PAST_END_OF_FILE]))
  })

  it('is told where the last page is there in part, as soon as the size was seen', () => {
    const { dma } = makeManager()
    const file = makeFile(2 * PAGE)
    dma.map(regionOf(file, 0, { byteLength: 2 * PAGE }))
    const peek = dma.createPeek()
    void dma.read(PAGE, new Uint8Array(4))
    file.truncate(2 * PAGE - 4)
    // Another region of the file: its size is looked at. No access has failed, and none will.
    dma.map(regionOf(file, 4 * PAGE))
    const isFound = peek.locate(2 * PAGE - 4, 4, DmaAccess.READ)
    expect([isFound && peek.commit(), dma.read(PAGE, new Uint8Array(4))]).toEqual([
      DmaFault.PAST_END_OF_FILE,
      DmaFault.NONE
    ])
    expect(dma.read(2 * PAGE - 4, new Uint8Array(4))).toBe(DmaFault.PAST_END_OF_FILE)
  })

  it('can be reached again when it grows', () => {
    const { dma } = makeManager()
    const file = makeFile(2 * PAGE)
    dma.map(regionOf(file, 0, { byteLength: 2 * PAGE }))
    file.truncate(PAGE)
    void dma.read(PAGE, new Uint8Array(4))
    void dma.read(PAGE, new Uint8Array(4))
    file.truncate(2 * PAGE)
    file.write(PAGE, 0x31)
    const target = new Uint8Array(1)
    expect(dma.read(PAGE, target)).toBe(DmaFault.NONE)
    expect(target[0]).toBe(0x31)
  })
})
