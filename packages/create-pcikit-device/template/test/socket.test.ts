import { GuestMemory, PciDriver, VfioUserClient } from '@pcikit/testkit'
import { describe, expect, it } from 'vitest'
import { Driver } from './driver.js'
import { serve } from './serve.js'

describe('the device behind a socket', () => {
  it('combines memory that the client shares, and sends a message for it', async () => {
    await using served = await serve()
    const memory = new GuestMemory()
    memory.add({ iova: 0x10_0000, byteLength: 0x10_0000 })
    const client = await VfioUserClient.connect(served.path, { memory })
    await memory.map(client)
    const pci = new PciDriver(client)
    await pci.enable()
    const messages = await pci.enableMsix(1)
    const driver = new Driver(client)

    const iova = memory.allocate(4096)
    memory.fill(iova, 4096, 0x55)
    await driver.start({ iova, length: 4096, key: 0xff })
    await messages.next(0)

    expect(await driver.acknowledge()).toBe(Driver.DONE)
    expect(memory.bytesAt(iova, 4096)).toEqual(new Uint8Array(4096).fill(0xaa))
    client.close()
    messages.close()
    memory.close()
  })
})
