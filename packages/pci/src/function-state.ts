import type { DeviceState } from '@pcikit/core'
import type { RegisterValues } from '@pcikit/wire'
import type { SavedInterrupts } from './function-interrupts.js'
import type { SavedMsixTable } from './msix-table.js'

/** What a function keeps while its code is exchanged. */
export interface FunctionState {
  readonly config: RegisterValues
  readonly interrupts: SavedInterrupts
  /** Only there where the function has MSI-X. */
  readonly msixTable?: SavedMsixTable
}

/** Recognizes what a function saved. Throws TypeError for anything else. */
export function parseFunctionState (state: DeviceState): FunctionState {
  const { config, interrupts, msixTable } = state as Partial<FunctionState>
  if (typeof config !== 'object' || typeof interrupts !== 'object') {
    throw new TypeError('The state is not one that a described function saved.')
  }
  return { config, interrupts, ...(msixTable === undefined ? {} : { msixTable }) }
}
