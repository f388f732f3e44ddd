// Before the tests that run the built command: its bundle is what tsc built last, whoever ran tsc.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export function setup (): void {
  const script = fileURLToPath(new URL('../scripts/bundle-command.mjs', import.meta.url))
  execFileSync(process.execPath, [script], { stdio: ['ignore', 'inherit', 'inherit'] })
}
