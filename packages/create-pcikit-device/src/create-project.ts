import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { ProjectError } from './project-error.js'
import { nameProject } from './project-names.js'
import type { ProjectNames } from './project-names.js'
import { fillTemplate } from './template.js'

/** What is to be made. */
export interface ProjectRequest {
  /** The name of the device type: lower-case letters, digits and dashes. */
  readonly name: string
  /** The scope of the package, with or without its `@`. None unless given. */
  readonly scope?: string
  /** Where it goes; a folder named after the device, below the current one, unless given. */
  readonly folder?: string
}

/** What was made. */
export interface Project extends ProjectNames {
  /** The folder, as an absolute path. */
  readonly folder: string
  /** The files in it, by their paths from there. */
  readonly files: readonly string[]
}

/** Whoever makes the repository first has this. */
const MAY_BE_THERE = new Set(['.git'])

/**
 * Writes a package with a device in it. Nothing is installed and nothing is asked.
 *
 * @throws ProjectError, before anything is written, for a name that cannot be one or a folder that is not empty.
 */
export function createProject (request: ProjectRequest): Project {
  const names = nameProject(request.name, request.scope)
  const folder = resolve(request.folder ?? names.device)
  refuseContents(folder)
  const files = fillTemplate(names)
  for (const { path, text } of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return { ...names, folder, files: files.map(({ path }) => path) }
}

function refuseContents (folder: string): void {
  if (!existsSync(folder)) return
  if (!statSync(folder).isDirectory()) {
    throw new ProjectError(`${folder} is a file. Name another place with --dir.`)
  }
  const others = readdirSync(folder).filter(name => !MAY_BE_THERE.has(name)).sort()
  if (others.length === 0) return
  const shown = `${others.slice(0, 3).join(', ')}${others.length > 3 ? ', …' : ''}`
  throw new ProjectError(
    `The folder ${folder} is not empty: it has ${shown}. Nothing was written. Name another folder with --dir, or empty ` +
      'this one.'
  )
}
