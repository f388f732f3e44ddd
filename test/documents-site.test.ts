import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { drawChart, parseChart } from '../docs/.vitepress/chart.mjs'
import { findDeadLinks } from '../docs/.vitepress/check-links.mjs'
import { siteLink, slugify } from '../docs/.vitepress/links.mjs'
import { repository } from '../docs/.vitepress/packages.mjs'
import { blocksIn } from './documents.js'
import { filesBelow, root } from './sources.js'

describe('the check of links', () => {
  let site: string
  beforeEach(() => {
    site = mkdtempSync(join(tmpdir(), 'pcikit-site-'))
  })
  afterEach(() => rmSync(site, { recursive: true }))

  function write (name: string, html: string): void {
    mkdirSync(dirname(join(site, name)), { recursive: true })
    writeFileSync(join(site, name), html)
  }

  it('follows links to pages, folders, anchors and files of the repository', () => {
    write(
      'index.html',
      `<h1 id="top-of-it">x</h1><a href="/a/">a</a><a href="b#c-d">b</a><a href="#top-of-it">c</a>
      <a href="${repository}/blob/main/README.md">d</a><a href="https://example.org/nowhere">e</a>`
    )
    write('a/index.html', '<a href="../b.html">b</a>')
    write('b.html', '<h2 id="c-d">x</h2><script>"<a href=\'/nowhere\'>"</script>')
    expect(findDeadLinks(site)).toEqual({ pageCount: 3, linkCount: 6, dead: [] })
  })

  it.each([
    ['/nowhere', 'there is no such page'],
    ['other#nowhere', 'the page has no such anchor'],
    ['#nowhere', 'the page has no such anchor'],
    [`${repository}/blob/main/nowhere.md`, 'the repository has no such file']
  ])('tells that %s is dead', (link, why) => {
    write('other.html', '<h2 id="here">x</h2>')
    write('index.html', `<a href="${link}">x</a>`)
    expect(findDeadLinks(site).dead).toEqual([`index.html: ${link}: ${why}`])
  })
})

describe('links of documents', () => {
  const document = `${root}docs/recipes/README.md`

  it.each([
    ['../dma.md#the-rules', '../dma.md#the-rules'],
    ['../decisions/README.md', '../decisions/index.md'],
    ['../../packages/wire', '../reference/wire/index.md'],
    ['../../packages/wire/README.md#x', '../reference/wire/index.md#x'],
    ['../../SECURITY.md', `${repository}/blob/main/SECURITY.md`],
    ['../../examples', `${repository}/tree/main/examples`]
  ])('lead on the site from %s to %s', (link, target) => {
    expect(siteLink(document, link)).toBe(target)
  })

  it('are left alone where they lead out of here, or stay', () => {
    expect(['https://example.org/a.md', '#here', '/page'].map(link => siteLink(document, link)))
      .toEqual([undefined, undefined, undefined])
  })

  it('to files that do not exist are refused', () => {
    expect(() => siteLink(document, '../../packages/nowhere')).toThrow('there is no packages/nowhere')
  })

  it('find headings as the repository names them', () => {
    expect(slugify("3. The guest's `memory`, and so on")).toBe('3-the-guests-memory-and-so-on')
  })
})

describe('charts', () => {
  it.each(blocksIn('mermaid').map(block => [`${block.path}:${block.line}`, block] as const))(
    'can be drawn: %s',
    (_, block) => {
      const { names, series } = parseChart(block.text)
      expect(new Set(series.map(values => values.length))).toEqual(new Set([names.length]))
      expect(drawChart(block.text).match(/<rect /g)).toHaveLength(names.length * series.length)
    }
  )

  it('of another kind are refused', () => {
    expect(() => parseChart('flowchart LR')).toThrow('xychart-beta')
  })
})

describe('pictures', () => {
  const pictures = filesBelow('docs/pictures', /\.svg$/)

  it.each(pictures.map(({ path, text }) => [path, text] as const))(
    '%s says what it shows, in light and dark',
    (path, text) => {
      expect(text).toMatch(/aria-label="[^"]{40,}"/)
      expect(text).toContain('prefers-color-scheme: dark')
      // What is in one of them is in a page of the site with all the others.
      const ids = [...text.matchAll(/id="([^"]*)"/g)].map(match => match[1] ?? '')
      const others = pictures.filter(picture => picture.path !== path).map(picture => picture.text).join()
      expect(ids.filter(id => others.includes(`id="${id}"`))).toEqual([])
    }
  )

  it('are all shown', () => {
    const documents = filesBelow('docs', /\.md$/).map(({ text }) => text).join()
    const names = pictures.map(({ path }) => path.slice('docs/'.length))
    expect(names.filter(name => !documents.includes(`${name})`))).toEqual([])
  })
})
