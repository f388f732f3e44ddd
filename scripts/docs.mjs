// npm run docs:build, npm run check:docs: builds the site of docs/ into docs/.vitepress/dist; a link that leads nowhere
// fails it. npm run docs:dev: serves the site while it is written.
import { run } from './run.mjs'
import { setUp } from './setup.mjs'

await setUp()
process.exitCode = await run(process.execPath, ['docs/.vitepress/build.mjs', ...process.argv.slice(2)])
