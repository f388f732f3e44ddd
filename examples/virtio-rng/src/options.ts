import * as z from 'zod'

/** The options of the entropy device. Descriptions and defaults are what the `pcikit` command shows. */
export const virtioRngOptionsSchema = z.strictObject({
  bytesPerSecond: z.number().int().min(1).optional()
    .describe('random bytes that the guest gets in a second at most; as many as it asks for unless given'),
  graceMs: z.number().int().min(0).default(2000)
    .describe('how long the memory of the queue may stay away before the device needs a reset, in milliseconds')
})

/** The options as their schema parsed them. */
export type VirtioRngOptions = z.output<typeof virtioRngOptionsSchema>
