import * as z from 'zod'

/** The options of the card. Descriptions and defaults are what the `pcikit` command shows. */
export const idio16OptionsSchema = z.strictObject({
  inputs: z.enum(['loopback', 'pattern', 'count']).default('loopback')
    .describe('what is wired to the inputs: the outputs, levels that stay, or a counter'),
  pattern: z.number().int().min(0).max(0xffff).default(0x5aa5)
    .describe('the levels of `inputs: pattern`, the lowest bit for IIN0'),
  countMs: z.number().int().min(1).max(86_400_000).default(1000)
    .describe('how often the counter of `inputs: count` goes up, in milliseconds')
})

/** The options as their schema parsed them. */
export type Idio16Options = z.output<typeof idio16OptionsSchema>
