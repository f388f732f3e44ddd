/**
 * What `npm create pcikit-device` does, as a function: writes a package with a PCI device in it.
 *
 * @example
 * ```ts
 * import { createProject } from 'create-pcikit-device'
 *
 * const { folder, packageName } = createProject({ name: 'my-device', scope: '@acme', folder: './my-device' })
 * process.stdout.write(`${packageName} is in ${folder}.\n`)
 * ```
 *
 * @packageDocumentation
 */
export { createProject } from './create-project.js'
export type { Project, ProjectRequest } from './create-project.js'
export { ProjectError } from './project-error.js'
export type { ProjectNames } from './project-names.js'
