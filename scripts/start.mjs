// npm start: sets up what is missing and serves an NVMe controller with a memory namespace.
// npm start -- ARGUMENTS: passes the arguments on to the pcikit command.
import { run } from './run.mjs'
import { setUp } from './setup.mjs'

const given = process.argv.slice(2)
await setUp()
const parameters = given.length > 0 ? given : ['run', 'nvme', '--socket', './nvme.sock', '--backend', 'memory:1GiB']
process.exitCode = await run(process.execPath, ['packages/cli/dist/pcikit.js', ...parameters])
