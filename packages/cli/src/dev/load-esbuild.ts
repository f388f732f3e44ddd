import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PcikitError } from '@pcikit/core'
import type * as esbuild from 'esbuild'

/** The compiler that `pcikit dev` uses. */
export type Esbuild = typeof esbuild

/** Finds esbuild where the plugin's package sees it, or else where this command does. */
export async function loadEsbuild (folder: string): Promise<Esbuild> {
  const places = [join(folder, 'package.json'), import.meta.url]
  for (const place of places) {
    try {
      const file = createRequire(place).resolve('esbuild')
      const module = await import(pathToFileURL(file).href) as Esbuild & { readonly default?: Esbuild }
      return module.default ?? module
    } catch (error) {
      if ((error as { readonly code?: string }).code !== 'MODULE_NOT_FOUND') throw error
    }
  }
  throw new PcikitError(
    'PCIKIT_COMPILER_NOT_FOUND',
    `\`pcikit dev\` compiles with esbuild, and there is none in ${folder}. ` +
      'Install it there: npm install --save-dev esbuild',
    { details: { folder } }
  )
}
