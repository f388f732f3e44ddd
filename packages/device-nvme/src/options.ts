import { FaultPolicy } from '@pcikit/core'
import * as z from 'zod'
import { PAGE_BYTES_MIN } from './registers.js'

/** Largest number of I/O queue pairs. */
export const IO_QUEUES_MAX = 64

const id = z.number().int().min(0).max(0xffff)
const isPowerOfTwo = (value: number): boolean => Number.isInteger(Math.log2(value))

/** The options of an NVMe controller. Descriptions and defaults are what the command shows. */
export const nvmeOptionsSchema = z.strictObject({
  backends: z.array(z.string().meta({ format: 'block-backend' })).min(1).max(1024).default(['memory:1GiB'])
    .describe('storage of each namespace, the first being namespace 1'),
  blockSize: z.union([z.literal(512), z.literal(4096)]).default(512)
    .describe('bytes of a logical block'),
  doorbells: z.enum(['trap', 'mmap']).default('trap')
    .describe(
      'trap: doorbell writes are messages, an idle device costs nothing; mmap: the client maps the doorbells and the device polls them'
    ),
  serial: z.string().regex(/^[ -~]{1,20}$/, 'at most 20 printable ASCII characters').optional()
    .describe('serial number; random unless given. Give one where the guest must know the disk again'),
  model: z.string().regex(/^[ -~]{1,40}$/, 'at most 40 printable ASCII characters').default('pcikit NVMe Controller')
    .describe('model number'),
  firmware: z.string().regex(/^[ -~]{1,8}$/, 'at most 8 printable ASCII characters').default('1.0')
    .describe('firmware revision'),
  queues: z.number().int().min(1).max(IO_QUEUES_MAX).default(IO_QUEUES_MAX)
    .describe('I/O queue pairs at most'),
  queueEntries: z.number().int().min(2).max(65536).default(1024)
    .describe('entries of an I/O queue at most'),
  msixVectors: z.number().int().min(0).max(2048).optional()
    .describe('MSI-X vectors; one for each queue pair and one for the admin queue unless given. 0: MSI only'),
  maxTransfer: z.number().int().min(PAGE_BYTES_MIN).max(8 * 1024 * 1024).default(1024 * 1024)
    .refine(isPowerOfTwo, 'a power of two')
    .describe('bytes of one command at most, a power of two'),
  faultPolicy: z.enum(FaultPolicy).default(FaultPolicy.FAULT)
    .describe(
      'what DMA without memory behind it comes to. drop: reads give ones, writes vanish, queues wait; fault: Data Transfer Error, and a fatal status when the memory of a queue stays away; fatal: a fatal status at once'
    ),
  graceMs: z.number().int().min(0).max(3_600_000).default(2000)
    .describe(
      'with faultPolicy fault, how long memory may stay away under a queue before the controller reports a fatal error, in milliseconds'
    ),
  pollSocketUs: z.number().int().min(10).max(100_000).default(500)
    .describe(
      'with doorbells mmap, how often at least a busy device looks at its socket and serves everything else in the process, in microseconds'
    ),
  pollIdleUs: z.number().int().min(0).max(60_000_000).default(10_000)
    .describe('with doorbells mmap, how long doorbells are polled after the last work, in microseconds'),
  pollBackOffMs: z.number().int().min(1).max(1000).default(8)
    .describe('with doorbells mmap, how often an idle device looks at the doorbells, in milliseconds'),
  shadowWatchUs: z.number().int().min(0).max(1_000_000).default(1000)
    .describe(
      'with doorbells trap, how long at most the shadow doorbell of a queue is looked at after its last work before the guest has to ring again, in microseconds; a queue whose guest takes longer is not looked at'
    ),
  interruptModeration: z.enum(['adaptive', 'off']).default('adaptive')
    .describe(
      'adaptive: a guest that gives out commands in bunches is interrupted once for a bunch; off: for each run of completions, unless the guest asks for less'
    ),
  resizeCheckMs: z.number().int().min(0).max(3_600_000).default(1000)
    .describe(
      'how often to look whether a back end has another size, of which the guest is told, in milliseconds; 0: never'
    ),
  vendorId: id.default(0x1234).describe('PCI vendor ID, and subsystem vendor ID'),
  deviceId: id.default(0x4e56).describe('PCI device ID, and subsystem ID')
})

/** The options as their schema parsed them. */
export type NvmeOptions = z.output<typeof nvmeOptionsSchema>

/** MSI-X vectors of the function: those asked for, or one for each completion queue. */
export function msixVectorCount (options: NvmeOptions): number {
  return options.msixVectors ?? options.queues + 1
}

/** MSI vectors of the function: a power of two, at most 32. [PCIe] "Message Control Register for MSI". */
export function msiVectorCount (options: NvmeOptions): number {
  return Math.min(32, 2 ** Math.ceil(Math.log2(options.queues + 1)))
}
