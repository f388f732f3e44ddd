import { RegionIndex } from '@pcikit/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConfigRegister, PciCommand } from '../../pci/config-layout.js'
import type { ConfigProbe } from '../config-probe.js'
import type { PluginFixture } from '../plugin.js'
import { PluginBench } from './plugin-bench.js'
import type { BenchDevice } from './plugin-bench.js'

const PATTERNS = [0xffff_ffff, 0x5aa5_3cc3]
/** Words of a register, which differ from time to time or from device to device. */
const VARIES = 'varies'

type Image = readonly (readonly (number | typeof VARIES)[])[]

/** Devices of one type are each on their own: no state is in a module. */
export function describeInstances (fixture: PluginFixture): void {
  describe('instances', () => {
    let bench: PluginBench
    let one: BenchDevice
    let other: BenchDevice
    beforeEach(async () => {
      bench = await PluginBench.open(fixture)
      one = await bench.createDevice()
      other = await bench.createDevice()
    })
    afterEach(() => bench.close())

    it('have functions of their own', () => {
      expect(one.device.function).not.toBe(other.device.function)
      expect(one.device).not.toBe(other.device)
    })

    it('do not show what is written to another', async () => {
      const before = await steadyImage(other.probe)
      const own = await one.probe.snapshot()

      await scribble(one.probe)

      expect(masked(await readImage(other.probe), before)).toEqual(before)
      expect(await one.probe.snapshot()).not.toEqual(own)
    })

    it('are not reset with another', async () => {
      await other.probe.write(ConfigRegister.INTERRUPT_LINE, 1, 0x5a)
      await other.probe.write(ConfigRegister.COMMAND, 2, PciCommand.BUS_MASTER.mask)
      const before = await steadyImage(other.probe)

      await one.endpoint.function.reset()

      expect(masked(await readImage(other.probe), before)).toEqual(before)
      expect(other.dma.isBusMaster).toBe(true)
    })

    it('have bus mastering of their own', async () => {
      await one.probe.write(ConfigRegister.COMMAND, 2, PciCommand.BUS_MASTER.mask)
      expect([one.dma.isBusMaster, other.dma.isBusMaster]).toEqual([true, false])
    })

    it('live on when another is closed', async () => {
      const before = await steadyImage(other.probe)

      await one.hosted.close()

      expect(masked(await readImage(other.probe), before)).toEqual(before)
    })

    it('start as the first one did, whatever became of those before', async () => {
      const first = await steadyImage(one.probe)
      const fresh = differences(first, await steadyImage(other.probe))
      await scribble(one.probe)
      await one.hosted.close()

      const next = await bench.createDevice()

      expect(masked(await readImage(next.probe), fresh)).toEqual(fresh)
    })
  })
}

/** Writes patterns everywhere, as no driver does. The configuration space comes last: it switches the BARs off. */
async function scribble (probe: ConfigProbe): Promise<void> {
  for (const { index } of probe.barRegions()) {
    for (const pattern of PATTERNS) await probe.fill(index, pattern)
  }
  await probe.writeOnesEverywhere()
  await probe.write(ConfigRegister.INTERRUPT_LINE, 1, 0x5a)
}

/** What the configuration space and the BARs read as. */
async function readImage (probe: ConfigProbe): Promise<Image> {
  const image: Image[number][] = []
  for (const index of [RegionIndex.CONFIG, ...probe.barRegions().map(bar => bar.index)]) {
    image.push(await probe.words(index))
  }
  return image
}

/** An image without the words that change by themselves, or by being read. */
async function steadyImage (probe: ConfigProbe): Promise<Image> {
  return differences(await readImage(probe), await readImage(probe))
}

/** An image in which words that differ are marked as such. */
function differences (one: Image, other: Image): Image {
  return one.map((words, region) => words.map((word, at) => word === other[region]?.[at] ? word : VARIES))
}

/** An image without the words that vary in another. */
function masked (image: Image, mask: Image): Image {
  return image.map((words, region) => words.map((word, at) => mask[region]?.[at] === VARIES ? VARIES : word))
}
