import { existsSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { packages, repository, root } from './packages.mjs'

/** The anchor that GitHub gives a heading: the same files are read there. */
export function slugify (heading) {
  return heading.trim().toLowerCase().replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '').replaceAll(' ', '-')
}

/** Where the sources of a package are written up on the site. */
const pagesOfPackages = new Map(packages.flatMap(({ folder }) => [
  [`packages/${folder}`, `docs/reference/${folder}/index.md`],
  [`packages/${folder}/README.md`, `docs/reference/${folder}/index.md`]
]))

/**
 * Where a link of a document leads on the site, or undefined where that is the same. Files that are no page of it are
 * shown by the repository. Throws where there is no such file.
 */
export function siteLink (document, link) {
  if (link === '' || /^([a-z]+:|#|\/)/.test(link)) return undefined
  const [, path, anchor] = /^([^#]*)(#.*)?$/.exec(decodeURI(link))
  const target = relative(root, join(dirname(document), path)).replace(/\/$/, '')
  if (!existsSync(join(root, target))) {
    throw new Error(`${relative(root, document)} links to ${link}, and there is no ${target}.`)
  }
  const page = pagesOfPackages.get(target) ?? target
  if (/^docs\/.*\.md$/.test(page)) {
    const [from, to] = [relative(join(root, 'docs'), dirname(document)), page.slice('docs/'.length)]
    return `${relative(from, to).replace(/(^|\/)README\.md$/, '$1index.md').replace(/^(?=[^.])/, './')}${anchor ?? ''}`
  }
  const kind = statSync(join(root, target)).isDirectory() ? 'tree' : 'blob'
  return `${repository}/${kind}/main/${target}${anchor ?? ''}`
}
