import { existsSync, readdirSync, readFileSync } from 'node:fs'
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
/** Beside this package's own files where it is installed, at the root of the repository where it is not. */
const licences = ['../LICENSE', '../../../LICENSE'].map(place => fileURLToPath(new URL(place, import.meta.url)))

/** Files of these names mean something to whoever packs this package, where they are part of it. */
const RENAMED: Readonly<Record<string, string>> = { '_gitignore': '.gitignore', '_package.json': 'package.json' }
/** What somebody who worked in the template left there. */
const LEFTOVERS = /^(node_modules|dist)(\/|$)/

interface Manifest {
  readonly devDependencies: Readonly<Record<string, string>>
}

/** Fills the template. The versions of our packages are those that this one was released with. */
export function fillTemplate (names: ProjectNames): readonly ProjectFile[] {
  const { devDependencies } = JSON.parse(readFileSync(manifest, 'utf8')) as Manifest
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter(path => !LEFTOVERS.test(path))
    .map(path => ({
      path: RENAMED[path] ?? path,
      text: fill(readFileSync(join(folder, path), 'utf8'), names, devDependencies)
    }))
  return [...files, ...licences.filter(existsSync).slice(0, 1).map(readLicence)]
}

function readLicence (file: string): ProjectFile {
  return { path: 'LICENSE', text: readFileSync(file, 'utf8') }
}

function fill (text: string, names: ProjectNames, versions: Readonly<Record<string, string>>): string {
  return rename(text, names).replace(
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
