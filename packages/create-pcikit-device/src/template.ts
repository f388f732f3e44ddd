import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ProjectNames } from './project-names.js'

/** A file of a project, with its path from the project's folder. */
export interface ProjectFile {
  readonly path: string
  readonly text: string
}

/**
 * A folder in the package, and a package itself: it compiles and passes its tests as it is, under the names that are
 * replaced when it is copied.
 */
const folder = fileURLToPath(new URL('../template', import.meta.url))
const manifest = fileURLToPath(new URL('../package.json', import.meta.url))

/** npm leaves files of this name out of what it packs. */
const GITIGNORE = '_gitignore'
/** What somebody who worked in the template left there. */
const LEFTOVERS = /^(node_modules|dist)(\/|$)/

interface Manifest {
  readonly devDependencies: Readonly<Record<string, string>>
}

/** Fills the template. The versions of our packages are those that this one was released with. */
export function fillTemplate (names: ProjectNames): readonly ProjectFile[] {
  const { devDependencies } = JSON.parse(readFileSync(manifest, 'utf8')) as Manifest
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter(path => !LEFTOVERS.test(path))
    .sort()
    .map(path => ({
      path: path === GITIGNORE ? '.gitignore' : path,
      text: fill(path, readFileSync(join(folder, path), 'utf8'), names, devDependencies)
    }))
}

function fill (
  path: string,
  text: string,
  names: ProjectNames,
  versions: Readonly<Record<string, string>>
): string {
  const filled = rename(text, names)
  if (path !== 'package.json') return filled
  return filled.replace(
    /"(@pcikit\/[a-z-]+)": "workspace:\^"/g,
    (line, name: string) => versions[name] === undefined ? line : `"${name}": "${versions[name]}"`
  )
}

function rename (text: string, { device, className, packageName }: ProjectNames): string {
  return text
    .replaceAll('pcikit-device-your-device', packageName)
    .replaceAll('your-device', device)
    .replaceAll('YourDevice', className)
}
