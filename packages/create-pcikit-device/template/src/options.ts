import * as z from 'zod'

/** The options of the device. Descriptions and defaults are what the `pcikit` command shows. */
export const optionsSchema = z.strictObject({
  lengthMax: z.number().int().min(1).max(1_048_576).default(65_536).describe('bytes that a buffer has at most')
})

/** The options as their schema parsed them. */
export type Options = z.output<typeof optionsSchema>
