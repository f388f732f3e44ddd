import type { Command } from '../command.js'
import { offsetInPage } from '../prp-list.js'
import type { PrpMapper } from '../prp.js'
import type { ShadowDoorbells } from '../shadow-doorbells.js'
import { Status } from '../status.js'

/**
 * Doorbell Buffer Config. The buffers are a page each, and only have to be there when they are used: their memory may
 * come and go like that of queues. [NVMe-Base] "Doorbell Buffer Config command".
 */
export class DoorbellBufferCommand {
  readonly #prps: PrpMapper
  readonly #shadow: ShadowDoorbells

  constructor (prps: PrpMapper, shadow: ShadowDoorbells) {
    this.#prps = prps
    this.#shadow = shadow
  }

  execute (command: Command): Status {
    const { pageBytes } = this.#prps
    const { prp1, prp2 } = command
    if (offsetInPage(prp1, pageBytes) !== 0 || offsetInPage(prp2, pageBytes) !== 0) return Status.INVALID_FIELD
    // In one page what either side writes would be rung by the other.
    if (prp1 === prp2) return Status.INVALID_FIELD
    this.#shadow.configure(prp1, prp2)
    return Status.SUCCESS
  }
}
