// A Debian kernel and the examples: three plugins in one process, and their devices in one machine.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bootGuest, ensureVm } from '@pcikit/testkit/vm'
import type { Guest } from '@pcikit/testkit/vm'
import { root } from '../sources.js'
import { startDevices } from './device-process.js'
import type { DeviceProcess } from './device-process.js'
import { checkFileSystem, findDisk, makeFileSystem } from './disk-scenarios.js'
import { eduDriver, reserved } from './edu-driver.js'

const vm = await ensureVm()
const serial = 'snapshot'
const diskContents = Buffer.alloc(96 * 1024 * 1024, 'As it was. ')

let device: DeviceProcess
let guest: Guest

beforeAll(async () => {
  device = await startDevices({
    plugins: ['edu', 'idio-16', 'snapshot'].map(name => `${root}examples/${name}`),
    devices: {
      edu: { type: 'edu' },
      card: { type: 'idio-16' },
      disk: { type: 'nvme', options: { backends: ['snapshot:disk.img'], serial } }
    }
  }, folder => writeFile(join(folder, 'disk.img'), diskContents))
  const kernelArguments = `iomem=relaxed memmap=1M$${reserved}`
  guest = await bootGuest(vm, {
    boot: { kind: 'initramfs', kernelArguments, files: [{ path: 'edu', data: eduDriver }] },
    vfioUserSockets: ['edu', 'card', 'disk'].map(name => join(device.folder, `${name}.sock`))
  })
  await guest.ready()
})

afterAll(async () => {
  await guest[Symbol.asyncDispose]()
  await device[Symbol.asyncDispose]()
})

/** Runs a command of the driver, and returns the words that it writes. */
async function drive (command: string): Promise<string[]> {
  return (await guest.check(`. /edu\n${command}`)).split(/\s+/).filter(word => word !== '')
}

describe('the educational device', () => {
  beforeAll(async () => {
    // What a driver does first: memory and bus mastering on.
    await drive('echo 1 >/sys/bus/pci/devices/$edu/enable; setpci -s $edu COMMAND=6:6')
  })

  it('says who it is, and that it is alive', async () => {
    expect(await drive('get 0; put 4 0x12345678; get 4')).toEqual(['0x010000ED', '0xEDCBA987'])
  })

  it('computes a factorial', async () => {
    const wait = 'until [ $(($(get 0x20) & 1)) = 0 ]; do :; done'
    expect(await drive(`put 8 10; ${wait}; get 8`)).toEqual(['0x00375F00'])
  })

  it('moves bytes from memory to its buffer and back', async () => {
    const copied = await drive(`
      devmem $memory 64 0x0123456789abcdef
      devmem $((memory + 8)) 64 0x1122334455667788
      transfer $memory $((buffer + 100)) 16 1
      transfer $((buffer + 104)) $((memory + 0x1000)) 12 3
      devmem $((memory + 0x1000)) 64
      devmem $((memory + 0x1008)) 32`)
    expect(copied).toEqual(['0x5566778801234567', '0x11223344'])
  })

  it('interrupts when a driver asks for it, when a factorial is there, and when a transfer is over', async () => {
    const statuses = await drive(`
      echo 1234 11e8 >/sys/bus/pci/drivers/uio_pci_generic/new_id
      exec 3</dev/uio0
      handle () { next_interrupt; get 0x24; put 0x64 $(get 0x24); setpci -s $edu COMMAND=0:400; }
      put 0x60 0x20; handle
      put 0x20 0x80; put 8 5; handle
      transfer $memory $buffer 64 5; handle
      get 0x24`)
    expect(statuses).toEqual(['1', '0x00000020', '2', '0x00000001', '3', '0x00000100', '0x00000000'])
  })

  it('reads ones while bus mastering is off', async () => {
    const copied = await drive(`
      devmem $memory 64 0
      setpci -s $edu COMMAND=0:4
      transfer $memory $buffer 4 1
      setpci -s $edu COMMAND=4:4
      transfer $buffer $memory 4 3
      devmem $memory 64`)
    expect(copied).toEqual(['0x00000000FFFFFFFF'])
  })
})

describe('the digital I/O card', () => {
  beforeAll(async () => {
    // Lines have directories of their names once they are exported.
    await guest.check(
      'cd /sys/class/gpio; for line in $(seq $(cat gpiochip*/base) $(($(cat gpiochip*/base) + 31))); ' +
        'do echo $line >export; done'
    )
  })

  it('is bound by the driver of Linux', async () => {
    const address = (await guest.check('lspci -Dd 494f:0dc8 | cut -d " " -f 1')).trim()
    expect(await guest.check(`readlink /sys/bus/pci/devices/${address}/driver`)).toMatch(/\/pci-idio-16\n$/)
    expect(await guest.check('cat /sys/class/gpio/gpiochip*/label')).toBe(`${address}\n`)
    expect(await guest.check('cat /sys/class/gpio/gpiochip*/ngpio')).toBe('32\n')
  })

  it('has inputs that follow its outputs', async () => {
    const lines = 'cd /sys/class/gpio; echo 1 >OUT3/value; echo 1 >OUT15/value; cat OUT3/value OUT4/value OUT15/value'
    expect(await guest.check(lines)).toBe('1\n0\n1\n')
    expect(await guest.check('cd /sys/class/gpio; cat IIN3/value IIN4/value IIN15/value')).toBe('1\n0\n1\n')
    expect(await guest.check('cd /sys/class/gpio; echo 0 >OUT3/value; cat IIN3/value IIN15/value')).toBe('0\n1\n')
  })

  it('interrupts when an input changes', async () => {
    // All inputs, although one would do: the driver of Linux 6.12 passes each interrupt on to all of them, and one that
    // was never watched has none to pass it on to.
    await guest.check('cd /sys/class/gpio; for line in IIN*; do echo both >$line/edge; done')
    const count = "awk '/gpiolib/ { sum += $2 } END { print sum }' /proc/interrupts"
    const setAndWait = (level: number, total: number): string =>
      `echo ${level} >/sys/class/gpio/OUT7/value; until [ $(${count}) -ge ${total} ]; do :; done`
    expect(await guest.check(count)).toBe('0\n')
    await guest.check(setAndWait(1, 16))
    await guest.check(setAndWait(0, 32))
    expect(await guest.check(count)).toBe('32\n')
  })
})

describe('the snapshot', () => {
  it('is a disk that the guest can use, and the file stays as it was', async () => {
    const disk = await findDisk(guest, serial)
    expect(await guest.check(`head -c 22 ${disk.path}`)).toBe('As it was. As it was. ')
    const digest = await makeFileSystem(guest, disk)
    await checkFileSystem(guest, disk, digest)
    expect(Buffer.compare(await readFile(join(device.folder, 'disk.img')), diskContents)).toBe(0)
  })
})
