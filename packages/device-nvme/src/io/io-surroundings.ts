import type { DmaPeek } from '@pcikit/core'
import type { Features } from '../features.js'
import type { Health } from '../health.js'
import type { PrpMapper } from '../prp.js'
import type { DataTransfer } from '../transfer.js'

/** What I/O commands work with. */
export interface IoSurroundings {
  readonly prps: PrpMapper
  /** Undefined where guest memory has none. */
  readonly peek: DmaPeek | undefined
  readonly transfer: DataTransfer
  readonly features: Features
  readonly health: Health
  /** Bytes of one command at most: MDTS. */
  readonly transferBytesMax: number
}
