// Finds a QEMU that is new enough, or unpacks one.
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { canRun, runCommand } from './command.mjs'
import { makeDebianRoot } from './debian-root.mjs'

/**
 * How to run QEMU.
 *
 * @typedef {object} Qemu
 * @property {readonly string[]} command The program and the arguments that always come first.
 * @property {Readonly<Record<string, string>>} env Added to the environment.
 * @property {string} version Such as `11.1.3`.
 * @property {string} ovmfCode UEFI firmware, read-only.
 * @property {string} ovmfVariables UEFI variables, a template to copy.
 * @property {readonly string[]} [storageDaemon] How to run `qemu-storage-daemon`, where there is one.
 */

/** vfio-user-pci came with this one. */
const oldestVersion = [10, 1]

/** Where distributions put the UEFI firmware: code and variables. */
const ovmfPlaces = [
  ['OVMF/OVMF_CODE_4M.fd', 'OVMF/OVMF_VARS_4M.fd'],
  ['OVMF/OVMF_CODE.fd', 'OVMF/OVMF_VARS.fd'],
  ['edk2/x64/OVMF_CODE.4m.fd', 'edk2/x64/OVMF_VARS.4m.fd'],
  ['edk2/ovmf/OVMF_CODE.fd', 'edk2/ovmf/OVMF_VARS.fd']
]

/** What is unpacked where the machine's own QEMU or firmware does not do. */
export const qemuPackages = ['qemu-system-x86', 'qemu-utils', 'seabios', 'ovmf']

/**
 * @param {string} text What `qemu-system-x86_64 --version` prints.
 * @returns {string | undefined} The version, such as `11.1.3`.
 */
export function parseQemuVersion (text) {
  return /QEMU emulator version (\d+\.\d+(?:\.\d+)?)/.exec(text)?.[1]
}

/**
 * @param {string} version
 * @returns {boolean} Whether vfio-user-pci may be there.
 */
export function isRecentQemu (version) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [oldestMajor = 0, oldestMinor = 0] = oldestVersion
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)
}

/**
 * @param {string} share The folder `usr/share` to look in.
 * @returns {Promise<Pick<Qemu, 'ovmfCode' | 'ovmfVariables'> | undefined>}
 */
async function findOvmf (share) {
  for (const [code = '', variables = ''] of ovmfPlaces) {
    const files = { ovmfCode: join(share, code), ovmfVariables: join(share, variables) }
    const found = await Promise.all(Object.values(files).map(file => access(file))).then(() => true, () => false)
    if (found) return files
  }
  return undefined
}

/**
 * @param {readonly string[]} command
 * @param {Readonly<Record<string, string>>} env
 * @returns {Promise<string | undefined>} The version of a QEMU that has vfio-user-pci.
 */
async function probe (command, env) {
  const [program = '', ...args] = command
  const options = { env: { ...process.env, ...env } }
  const version = parseQemuVersion(await runCommand(program, [...args, '--version'], options).catch(() => ''))
  if (version === undefined || !isRecentQemu(version)) return undefined
  const devices = await runCommand(program, [...args, '-device', 'help'], options).catch(() => '')
  return devices.includes('"vfio-user-pci"') ? version : undefined
}

/**
 * @returns {Promise<Qemu | undefined>} This machine's own QEMU, where it does.
 */
export async function findInstalledQemu () {
  const command = ['qemu-system-x86_64']
  const version = await probe(command, {})
  if (version === undefined) return undefined
  const ovmf = await findOvmf('/usr/share')
  if (ovmf === undefined) return undefined
  const hasDaemon = await canRun('qemu-storage-daemon')
  return { command, env: {}, version, ...ovmf, ...hasDaemon && { storageDaemon: ['qemu-storage-daemon'] } }
}

/**
 * @param {string} folder
 * @returns {Promise<void>}
 */
export async function unpackQemu (folder) {
  await makeDebianRoot({ folder, packages: qemuPackages, variant: 'extract', preferBackports: true })
}

/**
 * QEMU in an unpacked root. It runs through the root's own dynamic loader, so that it needs nothing of this machine and
 * still sees this machine's files and sockets.
 *
 * @param {string} folder
 * @returns {Promise<Qemu>}
 * @throws {Error} When it does not run.
 */
export async function findUnpackedQemu (folder) {
  const usr = join(folder, 'usr')
  const libraries = join(usr, 'lib/x86_64-linux-gnu')
  const loader = [join(libraries, 'ld-linux-x86-64.so.2'), '--library-path', `${libraries}:${join(usr, 'lib')}`]
  const command = [
    ...loader,
    join(usr, 'bin/qemu-system-x86_64'),
    '-L',
    join(usr, 'share/qemu'),
    '-L',
    join(usr, 'share/seabios')
  ]
  const env = { QEMU_MODULE_DIR: join(libraries, 'qemu') }
  const version = await probe(command, env)
  const ovmf = await findOvmf(join(usr, 'share'))
  if (version === undefined || ovmf === undefined) {
    throw new Error(`The QEMU in ${folder} does not run or has no vfio-user-pci. Delete the folder and try again.`)
  }
  return { command, env, version, ...ovmf, storageDaemon: [...loader, join(usr, 'bin/qemu-storage-daemon')] }
}
