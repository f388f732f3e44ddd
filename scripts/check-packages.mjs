// npm run check:packages: packs every package as it would be published and looks for what would not work for users.
import { readdirSync } from 'node:fs'
import { must, root, say } from './run.mjs'

for (const name of readdirSync(`${root}packages`).sort()) {
  say(`publint packages/${name}`)
  await must(`Checking packages/${name}`, 'publint', ['--strict', '--pack', 'npm', `packages/${name}`])
}
