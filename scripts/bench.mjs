// npm run bench: the microbenchmarks that stand beside the hot paths. Each compares two ways in one run.
import { run } from './run.mjs'
import { setUp } from './setup.mjs'

await setUp()
process.exitCode = await run('vitest', ['bench', '--run', '--project', 'bench', ...process.argv.slice(2)])
