import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { drawChart } from './chart.mjs'
import { siteLink } from './links.mjs'
import { root } from './packages.mjs'

/** Makes the site of the same Markdown that the repository shows: links, charts, pictures, names of files. */
export function extendMarkdown (md) {
  md.core.ruler.push('links', state => {
    // Pages are known by where they come out, and README.md comes out as index.md.
    const path = state.env.path
    const document = existsSync(path) ? path : path.replace(/index\.md$/, 'README.md')
    for (const token of state.tokens.flatMap(each => each.children ?? [])) {
      if (token.type !== 'link_open') continue
      const link = siteLink(document, token.attrGet('href') ?? '')
      if (link !== undefined) token.attrSet('href', link)
    }
  })
  const fence = md.renderer.rules.fence
  md.renderer.rules.fence = (tokens, index, ...rest) => {
    const { info, content } = tokens[index]
    if (info.trim() === 'mermaid') return drawChart(content)
    const title = /\[(.+)\]/.exec(info)?.[1]
    const block = fence(tokens, index, ...rest)
    return title === undefined ? block : `<div class="file"><p>${md.utils.escapeHtml(title)}</p>${block}</div>`
  }
  const image = md.renderer.rules.image
  md.renderer.rules.image = (tokens, index, options, env, self) => {
    const source = tokens[index].attrGet('src') ?? ''
    if (!source.endsWith('.svg')) return image(tokens, index, options, env, self)
    return inlinePicture(join(root, 'docs', dirname(env.relativePath), source))
  }
}

/** In the page a picture takes the colours of the page, which are not always those of the system. */
function inlinePicture (path) {
  return readFileSync(path, 'utf8').replace(/<style>[\s\S]*?<\/style>/, '').replace(/\n\s*/g, ' ')
    .replace('<svg ', '<svg class="picture" ')
}
