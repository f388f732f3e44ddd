// Drives what serve.mjs serves, and prints what it saw.
import { GuestMemory, NvmeDriver, PciDriver, VfioUserClient, VirtioGuest } from '@pcikit/testkit'

const memory = new GuestMemory()
memory.add({ iova: 0x10_0000, byteLength: 0x100_0000 })
const client = await VfioUserClient.connect('nvme.sock', { memory })
await memory.map(client)
const pci = new PciDriver(client)
await pci.enable()
const interrupts = await pci.enableMsix(2)
const disk = new NvmeDriver({ access: client, memory, interrupts: { kind: 'msix', recorder: interrupts } })
await disk.enable()
await disk.admin.setQueueCount(1)
const queue = await disk.createQueuePair({ id: 1, depth: 16, vector: 1 })
await queue.writeBytes(1, 7, 512, new Uint8Array(512).fill(0x5a))
const block = await queue.readBytes(1, 7, 512, 512)
client.close()
interrupts.close()
memory.close()

const guest = await VirtioGuest.attach('rng.sock', { interrupts: 'msix' })
const [entropy] = await guest.driver.start()
const iova = guest.memory.allocate(32)
const { written } = await entropy.submit({ readable: [], writable: [{ iova, byteLength: 32 }] })
const random = guest.memory.bytesAt(iova, written)
guest.leave()

process.stdout.write(JSON.stringify({ block: [...new Set(block)], random: [...random] }))
