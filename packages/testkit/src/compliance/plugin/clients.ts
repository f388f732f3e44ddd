import { DmaAccess, IrqIndex } from '@pcikit/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConfigRegister, PciCommand } from '../../pci/config-layout.js'
import { CountingTrigger } from '../config-probe.js'
import type { PluginFixture } from '../plugin.js'
import { PluginBench } from './plugin-bench.js'
import type { BenchDevice } from './plugin-bench.js'

const REGION = { iova: 0x10_0000, byteLength: 0x10_0000, access: DmaAccess.READ_WRITE, fileOffset: 0 }
const KINDS = [IrqIndex.INTX, IrqIndex.MSI, IrqIndex.MSIX] as const

/** `Device.clientGone`: a client's memory and interrupts go with it, and registers stay for the next. */
export function describeClients (fixture: PluginFixture): void {
  describe('clients', () => {
    let bench: PluginBench
    let device: BenchDevice
    beforeEach(async () => {
      bench = await PluginBench.open(fixture)
      device = await bench.createDevice()
    })
    afterEach(() => bench.close())

    it('come, go and come again', async () => {
      for (let nth = 0; nth < 3; nth++) {
        const client = await attach(device)
        expect(device.dma).toMatchObject({ regionCount: 1, isBusMaster: true })

        await client.leave()

        expect(device.dma).toMatchObject({ regionCount: 0, openLeaseCount: 0 })
        expect(client.triggers.map(({ closes }) => closes)).toEqual(client.triggers.map(() => 1))
      }
    })

    it('leave the registers as they are', async () => {
      const client = await attach(device)
      await device.probe.write(ConfigRegister.INTERRUPT_LINE, 1, 0x5a)
      const before = await device.probe.snapshot()

      await client.leave()

      expect(await device.probe.snapshot()).toEqual(before)
    })

    it('are signalled nothing once they are gone', async () => {
      const client = await attach(device)
      await client.leave()
      const next = await attach(device)

      await device.endpoint.function.reset()

      expect(client.triggers.map(({ signals }) => signals)).toEqual(client.triggers.map(() => 0))
      await next.leave()
    })

    it('find a device that was reset while nobody was there as it was in the beginning', async () => {
      const before = await device.probe.snapshot()
      await (await attach(device)).leave()

      await device.endpoint.function.reset()

      expect(await device.probe.snapshot()).toEqual(before)
      await (await attach(device)).leave()
    })
  })
}

interface AttachedClient {
  readonly triggers: readonly CountingTrigger[]
  leave(): Promise<void>
}

/** What a client gives a device: memory, a trigger for each kind of interrupt, and bus mastering. */
async function attach ({ endpoint, dma, probe }: BenchDevice): Promise<AttachedClient> {
  const connection = endpoint.connect()
  dma.map(REGION)
  const { interrupts } = endpoint.function
  const triggers = KINDS.filter(kind => interrupts.info(kind).count > 0).map(kind => {
    const trigger = new CountingTrigger()
    interrupts.assign(kind, 0, [trigger])
    return trigger
  })
  await probe.write(ConfigRegister.COMMAND, 2, PciCommand.BUS_MASTER.mask | PciCommand.MEMORY_SPACE.mask)
  return { triggers, leave: () => connection.close() }
}
