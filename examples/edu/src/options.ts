import * as z from 'zod'

/** The options of the educational device. Descriptions and defaults are what the `pcikit` command shows. */
export const eduOptionsSchema = z.strictObject({
  dmaMask: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0x0fff_ffff)
    .describe('the address bits that the DMA engine drives; those beyond are lost. 28 bits unless given')
})

/** The options as their schema parsed them. */
export type EduOptions = z.output<typeof eduOptionsSchema>
