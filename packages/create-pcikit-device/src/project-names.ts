import { ProjectError } from './project-error.js'

/** What everything in a project is called. */
export interface ProjectNames {
  /** The device type, as users write it: `my-device`. */
  readonly device: string
  /** The class of the device: `MyDevice`. */
  readonly className: string
  /** `pcikit-device-my-device`, or `@scope/pcikit-device-my-device`. */
  readonly packageName: string
}

/** Packages of devices start with it, so that they are found. */
const PREFIX = 'pcikit-device-'
/** What the host takes as the name of a device type. */
const DEVICE_NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
const SCOPE = /^@?[a-z0-9][a-z0-9._-]*$/
/** What npm takes as the name of a package. */
const PACKAGE_CHARACTERS_MAX = 214

/**
 * Finds the names. The name of the package, `pcikit-device-…`, stands for the device too.
 *
 * @throws ProjectError for a name that cannot be one of a device, or a scope that npm does not take.
 */
export function nameProject (name: string, scope?: string): ProjectNames {
  const device = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name
  if (!DEVICE_NAME.test(device)) {
    throw new ProjectError(
      `A device cannot be named '${name}'. Use lower-case letters, digits and single dashes, and start with a letter: ` +
        'my-device. Folder and scope have options of their own, --dir and --scope.'
    )
  }
  if (scope !== undefined && !SCOPE.test(scope)) {
    throw new ProjectError(`'${scope}' cannot be a scope of npm. It looks like @acme: lower case, without a slash.`)
  }
  const packageName = `${scope === undefined ? '' : `@${scope.replace(/^@/, '')}/`}${PREFIX}${device}`
  if (packageName.length > PACKAGE_CHARACTERS_MAX) {
    throw new ProjectError(`${packageName} is longer than npm allows, ${PACKAGE_CHARACTERS_MAX} characters.`)
  }
  return { device, className: classNameOf(device), packageName }
}

/** `MyDevice` for `my-device`, and `GpioDevice` for `gpio`. Never `Device` alone, which is core's interface. */
function classNameOf (device: string): string {
  const pascal = device.split('-').map(word => `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`).join('')
  return /.Device$/.test(pascal) ? pascal : `${pascal}Device`
}
