#!/usr/bin/env node
import { createCommandLine } from './command-line.js'
import { explainExit } from './exit-code.js'
import { findPluginNames, loadPlugins } from './plugins.js'

const words = process.argv.slice(2)
try {
  const plugins = await loadPlugins(findPluginNames(words), process.cwd())
  await createCommandLine(plugins).parseAsync(words, { from: 'user' })
} catch (error) {
  const { code, message } = explainExit(error)
  if (message !== undefined) process.stderr.write(`${message}\n`)
  process.exitCode = code
}
