import { isPlugin } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import plugin, { virtioBlkDevice, virtioBlkOptionsSchema } from '../src/index.js'

describe('the plugin', () => {
  it('contributes the device type virtio-blk', () => {
    expect(isPlugin(plugin)).toBe(true)
    expect(plugin.contributes.map(({ value }) => value.name)).toEqual(['virtio-blk'])
  })

  it('describes its options, with defaults, as JSON Schema', () => {
    const schema = virtioBlkDevice.options['~standard'].jsonSchema?.input({ target: 'draft-2020-12' }) as {
      properties: Record<string, { description?: string, default?: unknown }>
    }
    const described = Object.entries(schema.properties).filter(([, { description }]) => description !== undefined)
    expect(described).toHaveLength(Object.keys(schema.properties).length)
    expect(schema.properties.blockSize?.default).toBe(512)
    expect(schema.properties.queues?.default).toBe(4)
  })
})

describe('the options', () => {
  it.each([
    [{ blockSize: 8192 }],
    [{ queues: 0 }],
    [{ queues: 65 }],
    [{ queueEntries: 100 }],
    [{ queueEntries: 2 }],
    [{ segMax: 255 }],
    [{ queueEntries: 16, segMax: 15 }],
    [{ serial: 'more than twenty characters' }],
    [{ serial: 'naïve' }],
    [{ lifetime: '4,0,0' }],
    [{ lifetime: '1,12,0' }],
    [{ physicalBlockSize: 512, blockSize: 4096 }],
    [{ physicalBlockSize: 5000 }],
    [{ withoutFeatures: ['virtio'] }],
    [{ faultPolicy: 'ignore' }],
    [{ zoned: { zoneSize: 100 } }],
    [{ unknown: 1 }]
  ])('refuse %j', options => {
    expect(virtioBlkOptionsSchema.safeParse(options).success).toBe(false)
  })

  it('take zones as a command line has them', () => {
    const { zoned } = virtioBlkOptionsSchema.parse({ zoned: 'zoneSize=256MiB,conventional=4' })
    expect([zoned?.zoneSize, zoned?.conventional]).toEqual([256 * 1024 ** 2, 4])
  })
})
