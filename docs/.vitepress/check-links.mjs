import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { repository, root } from './packages.mjs'

/** What browsers, and not pages, have to offer. */
const ANYWHERE = new Set(['', 'top'])

/**
 * Follows every link on every page of a built site: to a page, to an anchor of it, or to a file of the repository.
 * Returns those that lead nowhere.
 */
export function findDeadLinks (site, base = '/') {
  const pages = new Map(
    readdirSync(site, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.html'))
      .map(file => [file, readPage(readFileSync(join(site, file), 'utf8'))])
  )
  const dead = []
  for (const [file, { links }] of pages) {
    for (const link of links) {
      const problem = problemOf(link, file, pages, site, base)
      if (problem !== undefined) dead.push(`${file}: ${link}: ${problem}`)
    }
  }
  return { pageCount: pages.size, linkCount: [...pages.values()].flatMap(({ links }) => [...links]).length, dead }
}

function readPage (html) {
  const markup = html.replace(/<(script|style)\b[\s\S]*?<\/\1>/g, '')
  const values = attribute => [...markup.matchAll(new RegExp(`\\s${attribute}="([^"]*)"`, 'g'))].map(each => each[1])
  return { ids: new Set(values('id')), links: new Set([...values('href'), ...values('src')].map(unescape)) }
}

function unescape (text) {
  return text.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
}

function problemOf (link, file, pages, site, base) {
  if (link.startsWith(`${repository}/blob/main/`) || link.startsWith(`${repository}/tree/main/`)) {
    const path = decodeURI(link.slice(`${repository}/blob/main/`.length).replace(/#.*$/, ''))
    return existsSync(root + path) ? undefined : 'the repository has no such file'
  }
  if (/^([a-z]+:|\/\/)/.test(link)) return undefined
  const [, path, anchor] = /^([^#?]*)[^#]*(?:#(.*))?$/.exec(link)
  const target = fileOf(path, file, site, base)
  if (target === undefined) return 'there is no such page'
  const page = pages.get(target)
  if (page === undefined || anchor === undefined || ANYWHERE.has(anchor)) return undefined
  return page.ids.has(decodeURIComponent(anchor)) ? undefined : 'the page has no such anchor'
}

/** The file that a link shows, from the folder of the site. */
function fileOf (path, from, site, base) {
  if (path === '') return from
  const plain = decodeURI(path)
  const place = plain.startsWith('/') ? plain.slice(base.length) : join(dirname(from), plain)
  const candidates = [place, `${place}.html`, join(place, 'index.html')]
  const found = candidates.find(each => existsSync(join(site, each)) && statSync(join(site, each)).isFile())
  return found === undefined ? undefined : relative('.', found)
}
