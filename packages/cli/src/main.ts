#!/usr/bin/env node
import { createCommandLine } from './command-line.js'
import { chooseDeviceType, findDevTarget, replacePlugin } from './dev/developed-plugin.js'
import { findSource } from './dev/find-source.js'
import { PluginWorkshop } from './dev/plugin-workshop.js'
import { describeError, explainExit } from './exit-code.js'
import { findPluginChoice, loadPlugins } from './plugins.js'

const words = process.argv.slice(2)
let workshop: PluginWorkshop | undefined
try {
  const { plugins, refusals } = await loadPlugins(findPluginChoice(words), process.cwd())
  for (const { name, error } of refusals) {
    process.stderr.write(`warning: ${name} is left out: ${describeError(error)}\n`)
  }
  const target = findDevTarget(words)
  if (target === undefined) await createCommandLine(plugins).parseAsync(words, { from: 'user' })
  else {
    workshop = await PluginWorkshop.open(findSource(target.plugin, process.cwd()))
    const development = { device: chooseDeviceType(workshop.plugin, target.type), builds: workshop }
    const all = replacePlugin(plugins, workshop.plugin)
    await createCommandLine(all, undefined, development).parseAsync(words, { from: 'user' })
  }
} catch (error) {
  const { code, message } = explainExit(error)
  if (message !== undefined) process.stderr.write(`${message}\n`)
  process.exitCode = code
} finally {
  await workshop?.[Symbol.asyncDispose]()
}
