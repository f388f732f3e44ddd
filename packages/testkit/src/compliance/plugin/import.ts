import { describe, expect, it, vi } from 'vitest'
import type { PluginFixture } from '../plugin.js'
import { ProcessState } from './process-state.js'

interface Surroundings {
  readonly globals: readonly PropertyKey[]
  readonly variables: Readonly<Record<string, string | undefined>>
  readonly folder: string
}

/** A plugin acts when a host builds a device, not before: whoever lists devices imports it too. */
export function describeImport (fixture: PluginFixture): void {
  describe('imported', () => {
    it('does nothing', async () => {
      await fixture.load()
      vi.resetModules()
      const before = readSurroundings()
      const state = ProcessState.read()

      await fixture.load()

      expect(readSurroundings()).toEqual(before)
      expect(await state.growth()).toEqual([])
    })
  })
}

function readSurroundings (): Surroundings {
  return { globals: Reflect.ownKeys(globalThis), variables: { ...process.env }, folder: process.cwd() }
}
