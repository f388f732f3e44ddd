import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitepress'
import { slugify } from './links.mjs'
import { extendMarkdown } from './markdown.mjs'
import { packages, repository } from './packages.mjs'

const docs = fileURLToPath(new URL('..', import.meta.url))

/** What a page is called: its first heading. */
function titleOf (file) {
  return /^# (.*)$/m.exec(readFileSync(docs + file, 'utf8'))?.[1]?.replaceAll('`', '') ?? file
}

/** Links to pages by their files, as far as they exist. */
function pages (...files) {
  return files.filter(file => existsSync(docs + file))
    .map(file => ({ text: titleOf(file), link: `/${file.replace(/README\.md$/, '').replace(/\.md$/, '')}` }))
}

function pagesIn (folder) {
  const files = readdirSync(docs + folder).filter(file => file.endsWith('.md') && file !== 'README.md').sort()
  return pages(`${folder}/README.md`, ...files.map(file => `${folder}/${file}`))
}

const sidebar = [
  { text: 'Start', items: pages('README.md', 'tutorial.md', 'dev.md', 'serve.md') },
  {
    text: 'Concepts',
    items: pages(
      'architecture.md',
      'concepts/pci-function.md',
      'dma.md',
      'concepts/interrupts.md',
      'concepts/options.md',
      'concepts/lifecycle.md',
      'concepts/errors.md',
      'virtio.md'
    )
  },
  { text: 'Recipes', items: pagesIn('recipes') },
  {
    text: 'Reference',
    items: packages.map(({ folder, name, modules }) => ({
      text: name,
      link: `/reference/${folder}/`,
      collapsed: true,
      items: modules.map(each => ({ text: each.name, link: `/reference/${each.page}` }))
    }))
  },
  { text: 'Look up', items: pages('errors.md', 'specifications.md', 'zoned-disks.md', 'performance.md') },
  { text: 'Work on pcikit', collapsed: true, items: [...pages('testing.md'), ...pagesIn('decisions')] }
]

/** The text of a page for the index. Nobody sees it, so that its code need not be coloured. */
function renderForSearch (source, environment, md) {
  const { highlight } = md.options
  md.options.highlight = null
  try {
    return md.render(source, environment)
  } finally {
    md.options.highlight = highlight
  }
}

export default defineConfig({
  title: 'pcikit',
  description: 'PCI devices that live in user space, written in TypeScript',
  lang: 'en-GB',
  cacheDir: './.cache',
  // Where it is served below a path: https://host/path/ needs DOCS_BASE=/path/.
  base: process.env.DOCS_BASE ?? '/',
  rewrites: { 'README.md': 'index.md', ':folder/README.md': ':folder/index.md' },
  markdown: {
    anchor: { slugify },
    config: extendMarkdown,
    languageAlias: { plain: 'text' }
  },
  themeConfig: {
    nav: [
      { text: 'Tutorial', link: '/tutorial' },
      { text: 'Recipes', link: '/recipes/' },
      { text: 'Reference', link: '/reference/' },
      { text: 'Errors', link: '/errors' }
    ],
    sidebar,
    outline: [2, 3],
    search: { provider: 'local', options: { _render: renderForSearch } },
    socialLinks: [{ icon: 'github', link: repository }],
    editLink: { pattern: `${repository}/edit/main/docs/:path`, text: 'Edit this page' }
  }
})
