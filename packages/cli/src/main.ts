#!/usr/bin/env node
import { createCommandLine } from './command-line.js'
import { describeError, explainExit } from './exit-code.js'
import { findPluginChoice, loadPlugins } from './plugins.js'

const words = process.argv.slice(2)
try {
  const { plugins, refusals } = await loadPlugins(findPluginChoice(words), process.cwd())
  for (const { name, error } of refusals) {
    process.stderr.write(`warning: ${name} is left out: ${describeError(error)}\n`)
  }
  await createCommandLine(plugins).parseAsync(words, { from: 'user' })
} catch (error) {
  const { code, message } = explainExit(error)
  if (message !== undefined) process.stderr.write(`${message}\n`)
  process.exitCode = code
}
