// npm test: sets up what is missing and runs every test that needs no virtual machine.
// npm test -- PROJECT...: only these projects (unit, compliance, fuzz, conformance, integration, packages); other
// arguments go to vitest.
import { run } from './run.mjs'
import { setUp } from './setup.mjs'

const projects = ['unit', 'compliance', 'fuzz', 'conformance', 'integration', 'packages']
const given = process.argv.slice(2)
const chosen = given.filter(each => projects.includes(each))
const others = given.filter(each => !projects.includes(each))
await setUp()
const selection = (chosen.length > 0 ? chosen : projects).flatMap(name => ['--project', name])
process.exitCode = await run('vitest', ['run', ...selection, ...others])
