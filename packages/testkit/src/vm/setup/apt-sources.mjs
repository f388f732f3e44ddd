// Finds the Debian mirror that a machine's own apt already uses.
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * One package source of apt.
 *
 * @typedef {object} AptSource
 * @property {string} uri Address of the archive, without a slash at its end.
 * @property {string} suite What follows `dists/`: a code name such as `trixie`, or a class such as `stable`.
 * @property {readonly string[]} components Such as `main`.
 */

/** Where Debian itself sends everyone. */
export const defaultMirror = 'http://deb.debian.org/debian'

const debianSuites = new Set([
  'stable',
  'oldstable',
  'oldoldstable',
  'testing',
  'unstable',
  'sid',
  'experimental',
  'buster',
  'bullseye',
  'bookworm',
  'trixie',
  'forky',
  'duke'
])

/**
 * @param {string} uri
 * @returns {string}
 */
function withoutSlash (uri) {
  return uri.replace(/\/+$/, '')
}

/**
 * Reads the one-line format, `/etc/apt/sources.list` and `*.list`.
 *
 * @param {string} text
 * @returns {AptSource[]}
 */
export function parseOneLineSources (text) {
  const sources = []
  for (const line of text.split('\n')) {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line)
    if (match === null) continue
    const [, uri = '', suite = '', components = ''] = match
    sources.push({ uri: withoutSlash(uri), suite, components: components.split(/\s+/).filter(Boolean) })
  }
  return sources
}

/**
 * Reads the deb822 format, `*.sources`.
 *
 * @param {string} text
 * @returns {AptSource[]}
 */
export function parseDeb822Sources (text) {
  const sources = []
  const withoutComments = text.split('\n').filter(line => !line.startsWith('#')).join('\n')
  for (const stanza of withoutComments.split(/\n\s*\n/)) {
    /** @type {Map<string, string[]>} */
    const fields = new Map()
    for (const field of stanza.replace(/\n[ \t]+/g, ' ').split('\n')) {
      const colon = field.indexOf(':')
      if (colon < 0) continue
      fields.set(field.slice(0, colon).trim().toLowerCase(), field.slice(colon + 1).split(/\s+/).filter(Boolean))
    }
    const list = (/** @type {string} */ name) => fields.get(name) ?? []
    if (!list('types').includes('deb') || list('enabled').includes('no')) continue
    for (const uri of list('uris')) {
      for (const suite of list('suites')) {
        sources.push({ uri: withoutSlash(uri), suite, components: list('components') })
      }
    }
  }
  return sources
}

/**
 * Chooses the source that is a mirror of Debian's main archive. Security and update suites, and what other people
 * publish in apt's format, are not.
 *
 * @param {readonly AptSource[]} sources
 * @returns {string} The mirror's address; Debian's public one where no source is a mirror.
 */
export function pickDebianMirror (sources) {
  const mirror = sources.find(({ uri, suite, components }) =>
    debianSuites.has(suite) && components.includes('main') &&
    /^(https?|file|copy|ftp|tor\+https?|mirror\+\S+):/.test(uri)
  )
  return mirror?.uri ?? defaultMirror
}

/**
 * Reads every source of this machine's apt.
 *
 * @param {string} [folder] apt's configuration folder.
 * @returns {Promise<AptSource[]>}
 */
export async function readAptSources (folder = '/etc/apt') {
  const parts = join(folder, 'sources.list.d')
  const names = await readdir(parts).catch(() => [])
  const files = [join(folder, 'sources.list'), ...names.sort().map(name => join(parts, name))]
  const sources = []
  for (const file of files) {
    if (file.endsWith('.sources')) sources.push(...parseDeb822Sources(await readFile(file, 'utf8')))
    else if (file.endsWith('.list')) sources.push(...parseOneLineSources(await readFile(file, 'utf8').catch(() => '')))
  }
  return sources
}
