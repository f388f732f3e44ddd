// npm run test:vm: sets up QEMU where the machine has none that fits, and runs the tests that boot virtual machines.
import { must, run } from './run.mjs'
import { setUp } from './setup.mjs'

await setUp()
await must('Setting up QEMU', process.execPath, ['scripts/setup-vm.mjs'])
process.exitCode = await run('vitest', ['run', '--project', 'vm', ...process.argv.slice(2)])
