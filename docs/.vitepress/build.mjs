// npm run docs:build and check:docs: writes the reference, builds the site into docs/.vitepress/dist, and follows every
// link in it. npm run docs:dev: serves it while it is written.
import { fileURLToPath } from 'node:url'
import { build, createServer } from 'vitepress'
import { findDeadLinks } from './check-links.mjs'
import { writeReference } from './reference.mjs'

const docs = fileURLToPath(new URL('..', import.meta.url))

await writeReference()
if (process.argv[2] === 'dev') {
  const server = await createServer(docs)
  await server.listen()
  server.printUrls()
} else {
  await build(docs)
  const { pageCount, linkCount, dead } = findDeadLinks(`${docs}.vitepress/dist`, process.env.DOCS_BASE)
  for (const each of dead) process.stderr.write(`dead link: ${each}\n`)
  process.stderr.write(`pcikit: ${pageCount} pages, ${linkCount} links, ${dead.length} of them dead\n`)
  if (dead.length > 0) process.exitCode = 1
}
