// npm run bench: every benchmark, some fifteen minutes.
// npm run bench -- PART... OPTIONS: some of them; see bench/README.md.
import { compareMicro, runMicro } from './bench-micro.mjs'
import { must, run } from './run.mjs'
import { setUp } from './setup.mjs'

const given = process.argv.slice(2)
const suite = words => run(process.execPath, ['bench/dist/main.js', ...words])

await setUp()
await must('Building the benchmarks', 'tsc', ['-b', 'bench'])
if (given.length === 0) process.exitCode = await runMicro([]) || await suite([])
else if (given[0] !== 'micro') process.exitCode = await suite(given)
else if (given.includes('--base')) process.exitCode = await compareMicro(given.slice(1))
else process.exitCode = await runMicro(given.slice(1))
