import { FaultPolicy } from '@pcikit/core'
import * as z from 'zod'
import { FEATURE_NAMES } from './feature-names.js'
import type { FeatureName } from './feature-names.js'
import { LifetimeLayout } from './layouts.js'
import { zonedOptionsSchema } from './zones/options.js'

/** A request has a header, a status, and data between them. */
const DESCRIPTORS_BESIDE_DATA = 2
const QUEUES_MAX = 64
const VECTORS_MAX = 2048

const isPowerOfTwo = (value: number): boolean => Number.isInteger(Math.log2(value))
const featureNames = Object.keys(FEATURE_NAMES) as [FeatureName, ...FeatureName[]]
const bytes = z.number().int().min(0).max(0x8000_0000)

const optionsObject = z.strictObject({
  backend: z.string().meta({ format: 'block-backend' }).default('memory:1GiB')
    .describe('storage of the disk'),
  blockSize: z.union([z.literal(512), z.literal(1024), z.literal(2048), z.literal(4096)]).default(512)
    .describe('bytes of a block; requests for parts of blocks fail'),
  readOnly: z.boolean().default(false)
    .describe('the disk cannot be changed'),
  serial: z.string().regex(/^[ -~]{0,20}$/, 'at most 20 printable ASCII characters').default('')
    .describe('serial number, by which the guest can know the disk again; none unless given'),
  queues: z.number().int().min(1).max(QUEUES_MAX).default(4)
    .describe('queues; one for each processor of the guest serves it best'),
  queueEntries: z.number().int().min(4).max(32768).refine(isPowerOfTwo, 'a power of two').default(256)
    .describe('entries of a queue at most, a power of two'),
  segMax: z.number().int().min(1).max(32766).optional()
    .describe('pieces of memory of one request at most; two less than the entries of a queue unless given'),
  sizeMax: z.number().int().min(512).max(0xffff_ffff).optional()
    .describe('bytes of one such piece at most; any number unless given'),
  writeCache: z.boolean().default(true)
    .describe('whether writes may wait for a flush before they are durable, until the guest chooses'),
  discard: z.boolean().default(true)
    .describe('whether the guest can give storage back, where the back end can'),
  writeZeroes: z.boolean().default(true)
    .describe('whether the guest can have zeroes written without sending them'),
  secureErase: z.boolean().default(false)
    .describe(
      'whether the guest can have blocks overwritten; what was there is gone where the storage writes in place'
    ),
  lifetime: z.string().regex(/^[0-3],([0-9]|1[01]),([0-9]|1[01])$/, 'three numbers: 0 to 3, 0 to 11, 0 to 11')
    .optional()
    .describe(
      'how worn the storage is, as eMMC has it: pre-EOL information, then estimates A and B; not told unless given'
    ),
  physicalBlockSize: bytes.min(512).max(0x10_0000).refine(isPowerOfTwo, 'a power of two').optional()
    .describe('bytes that the storage writes at once; a block unless given'),
  minimumIo: bytes.max(0xffff * 512).default(0)
    .describe('bytes of the smallest transfer that is quick; 0: not known'),
  optimalIo: bytes.default(0)
    .describe('bytes of the best transfer; 0: not known'),
  zoned: zonedOptionsSchema.optional()
    .describe('makes a zoned disk of it, for example zoneSize=256MiB,conventional=4,state=disk.zones'),
  resizeCheckMs: z.number().int().min(0).max(3_600_000).default(1000)
    .describe(
      'how often to look whether the back end has another size, of which the guest is told, in milliseconds; 0: never'
    ),
  doorbells: z.enum(['trap', 'mmap']).default('trap')
    .describe(
      'trap: notifications are messages, an idle device costs nothing; mmap: the client maps the notification page and the device polls its queues'
    ),
  watchUs: z.number().int().min(0).max(1_000_000).default(1000)
    .describe(
      'with doorbells trap, how long at most a queue is looked at after its last work before the guest has to notify again, in microseconds'
    ),
  pollSocketUs: z.number().int().min(10).max(100_000).default(500)
    .describe(
      'with doorbells mmap, how often at least a busy device looks at its socket and serves everything else in the process, in microseconds'
    ),
  pollIdleUs: z.number().int().min(0).max(60_000_000).default(10_000)
    .describe('with doorbells mmap, how long queues are polled after the last work, in microseconds'),
  pollBackOffMs: z.number().int().min(1).max(1000).default(8)
    .describe('with doorbells mmap, how often an idle device looks at its queues, in milliseconds'),
  faultPolicy: z.enum(FaultPolicy).default(FaultPolicy.FAULT)
    .describe(
      'what DMA without memory behind it comes to. drop: reads give ones, writes vanish, queues wait; fault: an I/O error, and a device that needs a reset when the memory of a queue stays away; fatal: a device that needs a reset at once'
    ),
  graceMs: z.number().int().min(0).max(3_600_000).default(2000)
    .describe(
      'with faultPolicy fault, how long memory may stay away under a queue before the device needs a reset, in milliseconds'
    ),
  msixVectors: z.number().int().min(0).max(VECTORS_MAX).optional()
    .describe('MSI-X vectors; one for each queue and one for changes of the configuration unless given. 0: INTx only'),
  interruptModeration: z.enum(['adaptive', 'off']).default('adaptive')
    .describe(
      'adaptive: a guest that gives out requests in bunches is interrupted once for a bunch; off: whenever it wants to be'
    ),
  inOrder: z.boolean().default(false)
    .describe(
      'whether answers come in the order of the requests where the driver takes that: less to write for each, but a slow request holds up those after it'
    ),
  withoutFeatures: z.array(z.enum(featureNames)).default([])
    .describe('feature that is not offered')
})

/** The options as their schema parsed them. */
export type VirtioBlkOptions = z.output<typeof optionsObject>

/** The options of a virtio block device. Descriptions and defaults are what the command shows. */
export const virtioBlkOptionsSchema = optionsObject
  .refine(options => segMax(options) <= options.queueEntries - DESCRIPTORS_BESIDE_DATA, {
    path: ['segMax'],
    message: 'at most two less than queueEntries: no request is longer than its queue'
  })
  .refine(options => physicalBlockSize(options) >= options.blockSize, {
    path: ['physicalBlockSize'],
    message: 'at least blockSize'
  })

/** Pieces of memory that one request has at most. */
export function segMax ({ segMax, queueEntries }: Pick<VirtioBlkOptions, 'segMax' | 'queueEntries'>): number {
  return segMax ?? queueEntries - DESCRIPTORS_BESIDE_DATA
}

/** Bytes that the storage writes at once. */
export function physicalBlockSize (options: Pick<VirtioBlkOptions, 'physicalBlockSize' | 'blockSize'>): number {
  return options.physicalBlockSize ?? options.blockSize
}

/** What GET_LIFETIME answers, where the options say. */
export function lifetimeBytes ({ lifetime }: Pick<VirtioBlkOptions, 'lifetime'>): Uint8Array | undefined {
  if (lifetime === undefined) return undefined
  const [preEolInfo = 0, estimateA = 0, estimateB = 0] = lifetime.split(',').map(Number)
  const view = new DataView(new ArrayBuffer(LifetimeLayout.byteLength))
  LifetimeLayout.preEolInfo.set(view, 0, preEolInfo)
  LifetimeLayout.deviceLifetimeEstTypA.set(view, 0, estimateA)
  LifetimeLayout.deviceLifetimeEstTypB.set(view, 0, estimateB)
  return new Uint8Array(view.buffer)
}
