// Writes docs/reference, which is not kept: for each package its README, and a page for each of its modules, made of
// the comments in the sources. A link between symbols that leads nowhere fails it.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Application, Converter, ReflectionKind } from 'typedoc'
import { packages, readmeOf, repository, root } from './packages.mjs'

const folder = fileURLToPath(new URL('../reference', import.meta.url))

/** Relative links of a README lead from its package; in the reference they lead from elsewhere. */
function moveLinks (markdown, from, to) {
  return markdown.replace(/\]\((?![a-z]+:|#|\/)([^)\s]+)\)/g, (_, link) => `](${relative(to, join(from, link))})`)
}

function readme (each) {
  const path = readmeOf(each)
  if (path === undefined) return `# ${each.name}\n\n${each.description}.\n`
  return moveLinks(readFileSync(path, 'utf8'), `${root}packages/${each.folder}`, join(folder, each.folder))
}

function modulesOf (each) {
  if (each.modules.length === 0) return ''
  const list = each.modules.map(({ name, page }) => `- [\`${name}\`](../${page}.md)\n`).join('')
  return `\n## Reference\n\n${list}`
}

/** One page for each package: what its README says, and where its modules are described. */
function writePackages () {
  for (const each of packages) {
    mkdirSync(join(folder, each.folder), { recursive: true })
    writeFileSync(join(folder, each.folder, 'index.md'), `${readme(each).trimEnd()}\n${modulesOf(each)}`)
  }
  const rows = packages.map(each => `| [\`${each.name}\`](${each.folder}/index.md) | ${each.description} |\n`).join('')
  writeFileSync(
    join(folder, 'index.md'),
    `# Reference\n\nThe packages, with every symbol that they export.\n\n| package | what it is |\n|---|---|\n${rows}`
  )
}

export async function writeReference () {
  rmSync(folder, { recursive: true, force: true })
  const modules = packages.flatMap(each => each.modules)
  const app = await Application.bootstrapWithPlugins({
    plugin: ['typedoc-plugin-markdown'],
    tsconfig: fileURLToPath(new URL('tsconfig.reference.json', import.meta.url)),
    entryPoints: modules.map(({ source }) => source),
    basePath: root,
    readme: 'none',
    out: folder,
    cleanOutputDir: false,
    githubPages: false,
    logLevel: 'Warn',
    excludePrivate: true,
    excludeInternal: true,
    // Types are checked elsewhere.
    skipErrorChecking: true,
    disableGit: true,
    sourceLinkTemplate: `${repository}/blob/main/packages/{path}#L{line}`,
    validation: { notExported: false, invalidLink: true, notDocumented: false },
    treatValidationWarningsAsErrors: true,
    router: 'module',
    hidePageHeader: true,
    hideBreadcrumbs: true,
    useHTMLAnchors: true,
    parametersFormat: 'table',
    interfacePropertiesFormat: 'table',
    typeAliasPropertiesFormat: 'table',
    indexFormat: 'table',
    sanitizeComments: true,
    entryFileName: 'modules'
  })
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const child of project.children ?? []) {
      const source = child.sources?.[0]?.fullFileName
      const found = modules.find(each => each.source === source)
      if (found !== undefined) child.name = found.page
    }
  })
  // What a class has of another one stands there.
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    const members = project.getReflectionsByKind(ReflectionKind.ClassMember)
    for (const member of members.filter(each => each.inheritedFrom !== undefined)) project.removeReflection(member)
  })
  const project = await app.convert()
  if (project === undefined) throw new Error('The sources could not be read: see above.')
  app.validate(project)
  await app.generateOutputs(project)
  if (app.logger.hasErrors() || app.logger.hasWarnings()) throw new Error('The reference has mistakes: see above.')
  rmSync(join(folder, 'modules.md'), { force: true })
  for (const { name, page } of modules) titlePage(join(folder, `${page}.md`), name)
  writePackages()
}

/** What a module is called when it is imported. */
function titlePage (path, name) {
  writeFileSync(path, readFileSync(path, 'utf8').replace(/^# .*$/m, `# ${name}`))
}
