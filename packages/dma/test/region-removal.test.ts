import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DmaAccess, DmaFault } from '@pcikit/core'
import { OWN_POSITION, readVector } from '@pcikit/native'
import { describe, expect, it, onTestFinished } from 'vitest'
import { PAGE } from './memory-file.js'
import { makeFile, makeManager, regionOf } from './test-manager.js'

describe('removeRegions', () => {
  it('leaves no mapping and no descriptor of the file', async () => {
    const { dma } = makeManager()
    const file = makeFile(4 * PAGE)
    dma.map(regionOf(file, 0))
    dma.map(regionOf(file, PAGE, { fileOffset: PAGE }))
    void dma.write(0, new Uint8Array(2 * PAGE))
    expect([file.mappingCount, file.descriptorCount]).toEqual([2, 2])
    await dma.unmap(0, PAGE)
    expect([file.mappingCount, file.descriptorCount]).toEqual([1, 2])
    await dma.unmap(PAGE, PAGE)
    expect([file.mappingCount, file.descriptorCount]).toEqual([0, 1])
  })

  it('leaves nothing of the file even while a revoked lease stays open', async () => {
    const { dma } = makeManager()
    const file = makeFile(PAGE)
    const lease = dma.createLease()
    dma.map(regionOf(file, 0))
    lease.open(DmaAccess.READ)
    lease.append(0, 16)
    await dma.unmap(0, PAGE)
    expect([file.mappingCount, file.descriptorCount]).toEqual([0, 1])
    expect(lease.commit()).toBe(DmaFault.REVOKED)
    lease.close()
  })

  it('cuts off a transfer of the kernel that is stuck, so that nothing is written to the file any more', async () => {
    const { dma } = makeManager()
    const file = makeFile(PAGE)
    const stuck = makeStuckFile()
    const lease = dma.createLease()
    dma.map(regionOf(file, 0))
    lease.open(DmaAccess.WRITE)
    lease.append(0, 4)
    const reading = readVector(stuck, [lease.bytesAt(0)], [lease.offsetAt(0)], [4], 1, OWN_POSITION)
    const outcome = reading.catch((error: unknown) => (error as NodeJS.ErrnoException).code)
    await dma.unmap(0, PAGE)
    writeSync(stuck, Uint8Array.of(1, 2, 3, 4))
    expect(await outcome).toBe('EFAULT')
    expect(file.read(0, 4)).toEqual([0, 0, 0, 0])
    expect(lease.commit()).toBe(DmaFault.REVOKED)
    lease.close()
  })

  it('lets a transfer of the kernel end that is not stuck', async () => {
    const { dma } = makeManager({ unmapDeadlineMs: 10_000 })
    const file = makeFile(PAGE)
    const stuck = makeStuckFile()
    const lease = dma.createLease()
    dma.map(regionOf(file, 0))
    lease.open(DmaAccess.WRITE)
    lease.append(0, 4)
    const reading = readVector(stuck, [lease.bytesAt(0)], [lease.offsetAt(0)], [4], 1, OWN_POSITION)
    const done = dma.unmap(0, PAGE)
    writeSync(stuck, Uint8Array.of(1, 2, 3, 4))
    expect(await reading).toBe(4)
    expect(lease.commit()).toBe(DmaFault.NONE)
    lease.close()
    expect(await done).toBe(1)
    expect(file.read(0, 4)).toEqual([1, 2, 3, 4])
  })

  it('waits for leases from before bus mastering went off', async () => {
    const { dma } = makeManager()
    const file = makeFile(PAGE)
    const lease = dma.createLease()
    dma.map(regionOf(file, 0))
    lease.open(DmaAccess.READ)
    lease.append(0, 4)
    dma.setBusMaster(false)
    dma.setBusMaster(true)
    void dma.write(0, new Uint8Array(4))
    await dma.unmap(0, PAGE)
    expect(file.mappingCount).toBe(0)
    expect(lease.commit()).toBe(DmaFault.REVOKED)
    lease.close()
  })

  it('closes in time although a transfer is stuck', async () => {
    const { dma } = makeManager()
    const file = makeFile(PAGE)
    const lease = dma.createLease()
    dma.map(regionOf(file, 0))
    lease.open(DmaAccess.READ)
    lease.append(0, 4)
    const unmapped = dma.unmap(0, PAGE)
    await dma.close()
    expect([file.mappingCount, file.descriptorCount, lease.fault]).toEqual([0, 1, DmaFault.REVOKED])
    expect(await unmapped).toBe(1)
    lease.close()
  })
})

/** A file that gives nothing to read until something is written to it. */
function makeStuckFile (): number {
  const folder = mkdtempSync(join(tmpdir(), 'pcikit-dma-'))
  const path = join(folder, 'fifo')
  execFileSync('mkfifo', [path])
  const descriptor = openSync(path, 'r+')
  rmSync(folder, { recursive: true })
  onTestFinished(() => closeSync(descriptor))
  return descriptor
}
