import { z } from 'zod'

/** Options of a device that there is only in tests: one of each form. */
export const diskOptions = z.strictObject({
  backends: z.array(z.string().meta({ format: 'block-backend' })).min(1).describe('what it stores on'),
  blockSize: z.union([z.literal(512), z.literal(4096)]).default(512).describe('bytes in a block'),
  doorbells: z.enum(['trap', 'mmap']).default('trap').describe('how doorbells ring'),
  queues: z.int().min(1).max(64).default(64).describe('how many queues'),
  readOnly: z.boolean().default(false).describe('refuse writes'),
  serial: z.string().optional().describe('the serial number'),
  writeCache: z.boolean().default(true).describe('whether writes may wait')
})
