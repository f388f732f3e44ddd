import type { Features } from '../features.js'
import type { Health } from '../health.js'
import type { PrpMapper } from '../prp.js'
import type { DataTransfer } from '../transfer.js'

/** What I/O commands work with. */
export interface IoSurroundings {
  readonly prps: PrpMapper
  readonly transfer: DataTransfer
  readonly features: Features
  readonly health: Health
  /** Bytes of one command at most: MDTS. */
  readonly transferBytesMax: number
}
