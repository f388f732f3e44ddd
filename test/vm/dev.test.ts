// A Debian kernel, the educational device, and somebody who works on its code meanwhile.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { bootGuest, ensureVm } from '@pcikit/testkit/vm'
import type { Guest } from '@pcikit/testkit/vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CommandProcess } from '../command-process.js'
import { root } from '../sources.js'
import { eduDriver, reserved } from './edu-driver.js'

const vm = await ensureVm()

/** A copy of the example, where it finds what the example does. */
let folder: string
let command: CommandProcess
let guest: Guest

beforeAll(async () => {
  folder = await mkdtemp(`${root}examples/edu/.dev-`)
  for (const each of ['src', 'package.json']) {
    await cp(`${root}examples/edu/${each}`, join(folder, each), { recursive: true })
  }
  command = await CommandProcess.serve(['dev', folder, '--socket', join(folder, 'edu.sock')])
  guest = await bootGuest(vm, {
    boot: {
      kind: 'initramfs',
      kernelArguments: `iomem=relaxed memmap=1M$${reserved}`,
      files: [{ path: 'edu', data: eduDriver }]
    },
    vfioUserSockets: [join(folder, 'edu.sock')]
  })
  await guest.ready()
  await drive('echo 1 >/sys/bus/pci/devices/$edu/enable; setpci -s $edu COMMAND=6:6')
})

afterAll(async () => {
  await guest[Symbol.asyncDispose]()
  await command[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

/** Runs a command of the driver, and returns the words that it writes. */
async function drive (words: string): Promise<string[]> {
  return (await guest.check(`. /edu\n${words}`)).split(/\s+/).filter(word => word !== '')
}

/** Changes a file of the source, and waits until something new is said that fits. */
async function edit (file: string, from: string, to: string, said: RegExp): Promise<void> {
  const path = join(folder, 'src', file)
  const text = await readFile(path, 'utf8')
  expect(text).toContain(from)
  const [out, err] = [command.stdout.length, command.stderr.length]
  await writeFile(path, text.replace(from, to))
  while (!said.test(command.stdout.slice(out) + command.stderr.slice(err))) await delay(10)
}

const factorialOf = (value: number): string => `put 8 ${value}; until [ $(($(get 0x20) & 1)) = 0 ]; do :; done; get 8`

describe('a device whose code changes under a guest', () => {
  it('computes as its new code has it, and its registers are what they were', async () => {
    expect(await drive(`put 4 0x12345678; ${factorialOf(5)}`)).toEqual(['0x00000078'])
    await edit(
      'factorial.ts',
      'return product >>> 0',
      'return (product + 1) >>> 0',
      /src\/factorial\.ts.* state carried/
    )
    expect(await drive(`get 4; get 8; ${factorialOf(5)}`)).toEqual(['0xEDCBA987', '0x00000078', '0x00000079'])
  })

  it('answers as its new code has it', async () => {
    await edit(
      'edu.ts',
      "this.#registers.set('LIVENESS', ~value)",
      "this.#registers.set('LIVENESS', value + 1)",
      /carried/
    )
    expect(await drive('get 4; put 4 0x41; get 4')).toEqual(['0xEDCBA987', '0x00000042'])
  })

  it('still reaches the memory of the guest, and has its buffer', async () => {
    await drive('devmem $memory 64 0x0123456789abcdef; transfer $memory $buffer 8 1')
    await edit('factorial.ts', '(product + 1)', '(product + 2)', /carried/)
    expect(await drive('transfer $buffer $((memory + 0x1000)) 8 3; devmem $((memory + 0x1000)) 64'))
      .toEqual(['0x0123456789ABCDEF'])
  })

  it('still interrupts the driver of Linux, also with what was due before', async () => {
    await drive('echo 1234 11e8 >/sys/bus/pci/drivers/uio_pci_generic/new_id')
    const handle = 'next_interrupt; get 0x24; put 0x64 $(get 0x24); setpci -s $edu COMMAND=0:400'
    expect(await drive(`exec 3</dev/uio0; put 0x60 0x20; ${handle}`)).toEqual(['1', '0x00000020'])
    // The driver of UIO disables the pin when it has one: this one stays due until it is enabled again.
    await drive('setpci -s $edu COMMAND=400:400; put 0x60 0x40')
    await edit('factorial.ts', '(product + 2)', '(product + 3)', /carried/)
    expect(await drive(`exec 3</dev/uio0; setpci -s $edu COMMAND=0:400; ${handle}`)).toEqual(['2', '0x00000040'])
    expect(await drive(`exec 3</dev/uio0; put 0x60 0x80; next_interrupt; get 0x24`)).toContain('0x00000080')
  })

  it('goes on with its old code while the new one does not compile', async () => {
    await edit('factorial.ts', 'return (product + 3) >>> 0', 'return (product + ', /does not compile/)
    expect(await drive(factorialOf(5))).toEqual(['0x0000007B'])
    await edit('factorial.ts', 'return (product + ', 'return product >>> 0', /carried/)
    expect(await drive(factorialOf(5))).toEqual(['0x00000078'])
  })
})
