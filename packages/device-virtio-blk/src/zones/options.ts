import { parseSize } from '@pcikit/block'
import * as z from 'zod'
import { SECTOR_BYTES } from '../protocol.js'

const MIB = 1024 * 1024

/** zone_sectors has 32 bits. */
const ZONE_BYTES_MAX = 0xffff_ffff * SECTOR_BYTES

/** Bytes, as a number or as people write them. */
const size = z.union([z.number(), z.string()]).transform((value, context) => {
  if (typeof value === 'number') return value
  try {
    return parseSize(value)
  } catch (error) {
    context.issues.push({ code: 'custom', message: (error as Error).message, input: value })
    return z.NEVER
  }
})
const zoneBytes = size.pipe(z.number().int().min(SECTOR_BYTES).max(ZONE_BYTES_MAX).multipleOf(SECTOR_BYTES))
const zoneCount = z.number().int().min(0).max(0xffff_ffff)
const zoneNumbers = z.array(z.number().int().min(0)).default([])
const isPowerOfTwo = (value: number): boolean => Number.isInteger(Math.log2(value))

const zonedObject = z.strictObject({
  model: z.enum(['host-managed', 'host-aware']).default('host-managed')
    .describe('host-managed: zones must be written one behind the other; host-aware: they may be written anywhere'),
  zoneSize: zoneBytes.default(64 * MIB)
    .describe('size of a zone; Linux wants a power of two. The last zone may be smaller'),
  zoneCapacity: zoneBytes.optional()
    .describe('what of a zone can be written; all of it unless given'),
  conventional: zoneCount.default(0)
    .describe('zones at the start that can be written anywhere'),
  maxOpen: zoneCount.default(0)
    .describe('zones open at once, at most; 0 for no limit'),
  maxActive: zoneCount.default(0)
    .describe('zones open or closed at once, at most; 0 for no limit'),
  maxAppend: size.pipe(z.number().int().min(0).max(ZONE_BYTES_MAX)).default(MIB)
    .describe('data of one zone append at most; 0 for none, which Linux does not accept'),
  writeGranularity: size.pipe(
    z.number().int().min(SECTOR_BYTES).max(0x8000_0000).refine(isPowerOfTwo, 'a power of two')
  )
    .optional()
    .describe('what writes to sequential zones are multiples of; a block unless given'),
  initially: z.enum(['empty', 'full']).default('empty')
    .describe(
      'what sequential zones are when no state file says otherwise. empty: reads give zeroes, whatever is stored'
    ),
  state: z.string().min(1).optional()
    .describe('file that keeps write pointers and zone states; without it they are lost with the process'),
  readOnlyZones: zoneNumbers
    .describe('numbers of sequential zones that have become read-only, for tests of drivers. A state file keeps it'),
  offlineZones: zoneNumbers
    .describe('numbers of sequential zones that have failed, for tests of drivers. A state file keeps it')
})
  .refine(options => (options.zoneCapacity ?? 0) <= options.zoneSize, {
    path: ['zoneCapacity'],
    message: 'at most zoneSize'
  })
  .refine(options => options.maxActive === 0 || options.maxOpen <= options.maxActive, {
    path: ['maxOpen'],
    message: 'at most maxActive'
  })
  .refine(
    options =>
      options.model === 'host-managed' ||
      options.maxOpen === 0 && options.maxActive === 0 && options.zoneCapacity === undefined,
    { path: ['model'], message: 'host-aware zones have neither limits nor a capacity' }
  )

/**
 * The option `zoned` of a block device: `true` for zones with defaults, an object, or on a command line
 * `zoneSize=256MiB,conventional=4,state=disk.zones`, with a comma inside of a value written twice.
 */
export const zonedOptionsSchema = z.preprocess(readZoned, zonedObject)

/** The option as its schema parsed it. */
export type ZonedOptions = z.output<typeof zonedObject>

function readZoned (value: unknown): unknown {
  if (value === true) return {}
  if (typeof value !== 'string') return value
  // No path has a NUL.
  const parts = value.replaceAll(',,', '\0').split(',').filter(part => part !== '')
  return Object.fromEntries(parts.map(part => {
    const [name = '', ...rest] = part.replaceAll('\0', ',').split('=')
    const text = rest.join('=')
    return [name, name !== 'state' && /^\d+$/.test(text) ? Number(text) : text]
  }))
}
