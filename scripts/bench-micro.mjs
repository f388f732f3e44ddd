// The microbenchmarks in packages/*/bench and bench: alone, or those of a commit and of the working tree in turn.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { root, run, say } from './run.mjs'

const vitest = ['bench', '--run', '--project', 'bench']

/** Runs the microbenchmarks of the working tree; the words go to vitest. */
export function runMicro (words) {
  return run('vitest', [...vitest, ...words])
}

/**
 * Runs the microbenchmarks of a commit and of the working tree in turn, and prints for each how many times as long it
 * takes now. `--base REF`, `--reps N`; other words choose benchmarks by their file, as with vitest.
 */
export async function compareMicro (words) {
  const { values, positionals } = parseArgs({
    args: words,
    allowPositionals: true,
    options: { base: { type: 'string' }, reps: { type: 'string', default: '5' } }
  })
  const folder = mkdtempSync(join(tmpdir(), 'pcikit-base-'))
  const base = join(folder, 'tree')
  try {
    await step(`Checking ${values.base} out`, 'git', ['worktree', 'add', '--detach', base, values.base])
    await step('Setting it up', process.execPath, ['scripts/setup.mjs'], { cwd: base })
    const samples = new Map()
    for (let repetition = 0; repetition < Number(values.reps); repetition++) {
      const trees = [['base', base], ['here', root]]
      for (const [name, tree] of repetition % 2 === 0 ? trees : trees.reverse()) {
        say(`run ${repetition + 1} of ${values.reps}: ${name}`)
        await collect(samples, name, tree, join(folder, 'result.json'), positionals)
      }
    }
    print(samples, values.base)
    return 0
  } finally {
    await run('git', ['worktree', 'remove', '--force', base])
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Throws when it fails, so that what was checked out goes again. */
async function step (what, command, words, options) {
  if (await run(command, words, options) !== 0) throw new Error(`${what} failed. What it printed is above.`)
}

async function collect (samples, name, tree, output, filters) {
  rmSync(output, { force: true })
  // Its tables are not what is asked for; its errors are.
  await run(join(tree, 'node_modules/.bin/vitest'), [...vitest, '--outputJson', output, ...filters], {
    cwd: tree,
    stdio: ['ignore', 'ignore', 'inherit']
  })
  if (!existsSync(output)) throw new Error(`The benchmarks of ${tree} did not run. Try "npm run bench -- micro" there.`)
  for (const { filepath, groups } of JSON.parse(readFileSync(output, 'utf8')).files) {
    for (const { fullName, benchmarks } of groups) {
      const group = fullName.split(' > ').slice(1).join(' > ')
      for (const benchmark of benchmarks) {
        const key = [relative(tree, filepath), group, benchmark.name].join(' > ')
        const figures = samples.get(key) ?? { base: [], here: [] }
        figures[name].push(benchmark.median)
        samples.set(key, figures)
      }
    }
  }
}

function print (samples, ref) {
  process.stdout.write(`\nTime now over time at ${ref}: median (least–most)\n`)
  for (const [name, { base, here }] of samples) {
    const ratios = here.slice(0, base.length).map((time, index) => time / base[index]).sort((a, b) => a - b)
    if (ratios.length === 0) continue
    const [least, middle, most] = [0, ratios.length >> 1, ratios.length - 1].map(index => ratios[index].toFixed(2))
    process.stdout.write(`  ${middle} (${least}–${most})  ${name}\n`)
  }
}
