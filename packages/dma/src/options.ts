import * as z from 'zod'

/** The options of {@link MappedDmaManager}, with their defaults. */
export const mappedDmaOptions = z.strictObject({
  unmapDeadlineMs: z.number().int().min(1).max(60_000).default(1000).describe(
    'By when an unmap or a reset is answered, in milliseconds; transfers still in flight shortly before are cut off'
  ),
  regionsMax: z.number().int().min(1).max(2 ** 24).default(65_535).describe('The most regions a client may map'),
  mappingsMax: z.number().int().min(1).max(2 ** 16).default(16_384).describe(
    'The most regions that are mapped into the process at a time'
  ),
  bounceBytesMax: z.number().int().min(2 ** 20).default(2 ** 28).describe(
    'The most bytes in flight from and to memory that the client does not share'
  ),
  fileCheckMs: z.number().int().min(1).default(1000).describe(
    'How often files that can become shorter are looked at, in milliseconds'
  )
})

/** The options of {@link MappedDmaManager}, as `mappedDmaOptions` parses them. */
export type MappedDmaOptions = z.infer<typeof mappedDmaOptions>
