import { mkdir, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The text of a module that is a plugin without core's help. */
export function pluginSource (manifest: { readonly name?: string, readonly api?: number | undefined } = {}): string {
  const { name, api } = { name: 'acme', api: 1, ...manifest }
  return `export default { name: '${name}', api: ${api}, contributes: [], [Symbol.for('@pcikit/plugin')]: true }\n`
}

export const PLUGIN_SOURCE = pluginSource()

/** Installs a package of one module for an application. Gives the module's path. */
export async function installPackage (app: string, name: string, source: string, manifest: object): Promise<string> {
  const folder = join(app, 'node_modules', name)
  await mkdir(folder, { recursive: true })
  const text = JSON.stringify({ name, type: 'module', exports: './index.js', ...manifest })
  await writeFile(join(folder, 'package.json'), text)
  await writeFile(join(folder, 'index.js'), source)
  return realpath(join(folder, 'index.js'))
}
