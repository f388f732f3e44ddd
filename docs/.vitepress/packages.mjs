import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The folder of the repository, with a slash at its end. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** Every package that is published, with its modules: those that its manifest exports with types. */
export const packages = readdirSync(`${root}packages`).sort().map(folder => {
  const manifest = JSON.parse(readFileSync(`${root}packages/${folder}/package.json`, 'utf8'))
  const modules = Object.entries(manifest.exports ?? {}).filter(([, value]) => value.types !== undefined)
    .map(([path, { types }]) => ({
      // What an import says.
      name: path === '.' ? manifest.name : `${manifest.name}${path.slice(1)}`,
      // Its page in the reference.
      page: path === '.' ? `${folder}/api` : `${folder}/${path.slice(2)}`,
      source: `${root}packages/${folder}/${types.replace('./dist/', 'src/').replace(/\.d\.ts$/, '.ts')}`
    }))
  return { folder, name: manifest.name, description: manifest.description, repository: manifest.repository, modules }
})

/** Where the repository is, without `git+` and `.git`. */
export const repository = packages[0].repository.url.replace(/^git\+|\.git$/g, '')

/** Where a package's README is. */
export function readmeOf ({ folder }) {
  const path = `${root}packages/${folder}/README.md`
  return existsSync(path) ? path : undefined
}
