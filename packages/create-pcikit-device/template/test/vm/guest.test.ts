import { bootGuest, ensureVm } from '@pcikit/testkit/vm'
import type { Guest, Vm } from '@pcikit/testkit/vm'
import { describe, expect, it } from 'vitest'
import { serve } from '../serve.js'

/** Sets up QEMU and the guest, once on each machine. A machine that cannot says why, and the test is skipped. */
const vm: Vm | Error = await ensureVm({ log: message => void process.stderr.write(`${message}\n`) })
  .catch((error: Error) => error)
const reason = vm instanceof Error ? `, skipped: ${vm.message}` : ''

/** The kernel uses the memory below, and leaves what is above to the test. */
const KERNEL_MEMORY_MIB = 256
const BUFFER = KERNEL_MEMORY_MIB * 2 ** 20

/** Runs a program that prints a number: `devmem` reads and writes physical memory, devices' too. */
async function number (guest: Guest, command: string): Promise<number> {
  return Number(await guest.check(command))
}

describe.skipIf(vm instanceof Error)(`YourDevice in a Linux guest${reason}`, () => {
  it('is found, and reaches memory', async () => {
    await using served = await serve()
    await using guest = await bootGuest(vm as Vm, {
      vfioUserSockets: [served.path],
      memoryMiB: 2 * KERNEL_MEMORY_MIB,
      boot: { kind: 'initramfs', kernelArguments: `mem=${KERNEL_MEMORY_MIB}M` }
    })
    await guest.ready()
    const address = (await guest.check('lspci -Dn -d 1234:0001')).split(' ')[0] ?? ''
    expect(address).not.toBe('')

    await guest.check(`setpci -s ${address} COMMAND=6`)
    const bar = await number(guest, `head -n 1 /sys/bus/pci/devices/${address}/resource | cut -d ' ' -f 1`)
    expect(await number(guest, `devmem ${bar} 32`)).toBe(0x4b49_4350)

    await guest.check(`devmem ${BUFFER} 32 0x11223344`)
    const writes = [[0x10, BUFFER], [0x14, 0], [0x18, 4], [0x0c, 0xff], [0x04, 1]] as const
    for (const [offset, value] of writes) await guest.check(`devmem ${bar + offset} 32 ${value}`)
    while ((await number(guest, `devmem ${bar + 0x08} 32`)) === 1);
    expect(await number(guest, `devmem ${bar + 0x08} 32`)).toBe(2)
    expect(await number(guest, `devmem ${BUFFER} 32`)).toBe(0xee_dd_cc_bb)

    // [PCIe] "Status Register": bit 3, Interrupt Status.
    expect(await number(guest, `echo 0x$(setpci -s ${address} STATUS)`) & 0x08).toBe(0x08)
  })
})
