// Makes a Debian 13 root in a folder with mmdebstrap, from the mirror that this machine uses.
import { pickDebianMirror, readAptSources } from './apt-sources.mjs'
import { canRun, runCommand } from './command.mjs'

/** The release that every root is made of, and where newer versions of some packages come from. */
const release = 'trixie'

/** Settings of apt that reach the mirror: proxies, certificates, and how strict to be about dates. */
const connectionSetting = /^Acquire::(https?|ftp|Check-|Retries|ForceIPv|Queue-Mode)/i

/**
 * @typedef {object} DebianRoot
 * @property {string} folder Where the root goes; must not exist.
 * @property {readonly string[]} packages
 * @property {'extract' | 'minbase'} variant `extract` unpacks the packages and what they depend on, nothing else, and
 *   runs none of their scripts; `minbase` is a root that boots and can be entered.
 * @property {boolean} preferBackports Whether packages come from the backports where those have them.
 * @property {readonly string[]} [excludes] Paths that are left out.
 */

/**
 * Makes sure that mmdebstrap is there.
 *
 * @param {(message: string) => void} log
 * @returns {Promise<void>}
 * @throws {Error} When this machine cannot make a Debian root; the message says what to install.
 */
export async function prepareForRoots (log) {
  const remedy =
    'Run the set-up once as root on Debian 12 or later (x86-64), with PCIKIT_VM_CACHE set to a folder that ' +
    'those who run the tests can read; copying such a folder from another machine does as well.'
  if (process.arch !== 'x64') throw new Error(`The test machines are x86-64, this one is ${process.arch}. ${remedy}`)
  if (process.getuid?.() !== 0) {
    throw new Error(`Making the virtual machine's files takes root, and this user is not root. ${remedy}`)
  }
  if (await canRun('mmdebstrap')) return
  if (!await canRun('apt-get')) throw new Error(`This machine has neither mmdebstrap nor apt-get. ${remedy}`)
  log('Installing mmdebstrap.')
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const install = ['install', '-y', '--no-install-recommends', 'mmdebstrap', 'debian-archive-keyring']
  await runCommand('apt-get', ['update'], { env })
  await runCommand('apt-get', install, { env })
}

/**
 * @returns {Promise<string[]>} This machine's apt settings that a root's apt needs, as `Name "value";`.
 */
async function connectionSettings () {
  const settings = await runCommand('apt-config', ['dump', 'Acquire']).catch(() => '')
  return settings.split('\n').filter(line => connectionSetting.test(line) && !line.endsWith(' "";'))
}

/**
 * Makes the root.
 *
 * @param {DebianRoot} root
 * @returns {Promise<void>}
 * @throws {Error} When mmdebstrap fails; the message ends with its output.
 */
export async function makeDebianRoot (root) {
  const mirror = pickDebianMirror(await readAptSources())
  const settings = ['Apt::Install-Recommends "false"', ...await connectionSettings()]
  if (root.preferBackports) settings.push(`APT::Default-Release "${release}-backports"`)
  const excludes = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*', ...root.excludes ?? []]
  // The guests have an initramfs of their own, so the kernel's package need not make one.
  const env = { ...process.env, INITRD: 'No' }
  await runCommand('mmdebstrap', [
    '--mode=root',
    `--variant=${root.variant}`,
    ...settings.map(setting => `--aptopt=${setting}`),
    '--dpkgopt=force-unsafe-io',
    ...excludes.map(path => `--dpkgopt=path-exclude=${path}`),
    `--include=${root.packages.join(',')}`,
    release,
    root.folder,
    `deb ${mirror} ${release} main`,
    `deb ${mirror} ${release}-backports main`
  ], { env })
}
