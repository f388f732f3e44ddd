import { readFileSync } from 'node:fs'
import { DEVICE } from '@pcikit/core'
import type { Plugin } from '@pcikit/core'
import { createHost } from '@pcikit/core/host'
import { Command, InvalidArgumentError, Option } from 'commander'
import { LOG_LEVELS } from './command-logger.js'
import { describeOptions } from './device-options.js'
import type { DeviceOption } from './device-options.js'
import { describeEvents } from './event-text.js'
import type { EventFilter } from './event-text.js'
import { readRecord } from './keep-record.js'
import { runDevice } from './run-device.js'
import { describeOption, showDevices, valueOf } from './show-devices.js'

/** What the command does, apart from parsing: replaced in tests. */
export interface Actions {
  readonly run: typeof runDevice
  readonly print: (text: string) => void
}

const DEFAULT_ACTIONS: Actions = { run: runDevice, print: text => void process.stdout.write(text) }

/** Builds the command line out of what the plugins offer: each device type is a subcommand of `run`. */
export function createCommandLine (plugins: readonly Plugin[], actions: Actions = DEFAULT_ACTIONS): Command {
  const program = new Command('pcikit')
    .description('PCI devices that live in user space: a device is a process, QEMU plugs it in over a socket.')
    .version(readVersion(), '--version', 'print the version')
    .helpOption('--help', 'show this help')
    .addOption(pluginOption())
    .exitOverride()
  const run = program.command('run').description('serve a device until SIGINT or SIGTERM')
  for (const { value } of createHost({ plugins }).extensions.list(DEVICE)) {
    addDevice(run, value.name, value.summary, describeOptions(value.options), plugins, actions)
  }
  program.command('devices').argument('[device]', 'show the options of this device type')
    .description('show the device types that the plugins offer, and their options')
    .addOption(pluginOption())
    .action((type: string | undefined) => actions.print(showDevices(plugins, type)))
  program.command('events').argument('<file>', 'what `pcikit run --record` wrote')
    .description('show a record readably, and what happened to an address')
    .addOption(new Option('--iova <address>', 'only what concerns this guest address').argParser(parseAddress))
    .option('--device <name>', 'only this device')
    .action((file: string, filter: EventFilter) => actions.print(describeEvents(readRecord(file), filter)))
  return program
}

function addDevice (
  run: Command,
  type: string,
  summary: string,
  options: readonly DeviceOption[],
  plugins: readonly Plugin[],
  actions: Actions
): void {
  const command = run.command(type).description(`${summary}`)
    .requiredOption('--socket <path>', 'the UNIX socket to serve on')
    .addOption(
      new Option('--socket-mode <octal>', 'the mode of the socket file').default(0o600, '600').argParser(parseMode)
    )
    .addOption(new Option('--log-level <level>', 'what to log').choices(LOG_LEVELS).default('info'))
    .addOption(new Option('--log-format <format>', 'how to log').choices(['text', 'json']).default('text'))
    .option('--record <file>', 'stream every map, unmap, reset and fault there, as JSON lines')
    .addOption(
      new Option('--unmap-deadline-ms <n>', 'by when an unmap or a reset is answered (default: 1000)')
        .argParser(parseNumber)
    )
    .addOption(pluginOption())
  for (const option of options) command.addOption(toCommanderOption(option))
  command.action(async (given: Record<string, unknown>) => {
    const own = options.flatMap(option => {
      const value = given[toAttribute(option.flag)]
      return value === undefined ? [] : [[option.property, value] as const]
    })
    await actions.run({
      type,
      socket: given['socket'] as string,
      socketMode: given['socketMode'] as number,
      logger: { level: given['logLevel'] as string, format: given['logFormat'] as 'text' | 'json' },
      ...(given['record'] === undefined ? {} : { recordFile: given['record'] as string }),
      ...(given['unmapDeadlineMs'] === undefined ? {} : { unmapDeadlineMs: given['unmapDeadlineMs'] as number }),
      options: Object.fromEntries(own)
    }, plugins)
  })
}

/** It is looked for before the command line is parsed, since plugins decide what can be: here it is only described. */
function pluginOption (): Option {
  return new Option('--plugin <name>', 'load a plugin by package name or ./path (can be given several times)')
}

/** Defaults stay with the schema: an option that was not given is not passed on. */
function toCommanderOption (option: DeviceOption): Option {
  const placeholder = option.kind === 'boolean' ? '' : ` <${valueOf(option).trim()}>`
  const made = new Option(`--${option.flag}${placeholder}`, describeOption(option))
  if (option.isRequired) made.makeOptionMandatory()
  if (option.kind === 'boolean') return made
  const parse = (word: string): unknown => parseWord(option, word)
  if (!option.isList) return made.argParser(parse)
  return made.argParser((word: string, before: readonly unknown[] | undefined) => [...(before ?? []), parse(word)])
}

function parseWord (option: DeviceOption, word: string): unknown {
  if (option.choices.length > 0 && !option.choices.includes(word)) {
    throw new InvalidArgumentError(`It can be ${option.choices.join(' or ')}.`)
  }
  return option.kind === 'number' ? parseNumber(word) : word
}

function parseNumber (word: string): number {
  const number = Number(word)
  if (word.trim() === '' || !Number.isFinite(number)) throw new InvalidArgumentError('It has to be a number.')
  return number
}

function parseAddress (word: string): number {
  const address = Number(word)
  if (word.trim() !== '' && Number.isSafeInteger(address) && address >= 0) return address
  throw new InvalidArgumentError('It has to be an address, like 0xfee00000.')
}

function parseMode (word: string): number {
  if (!/^[0-7]{3,4}$/.test(word)) throw new InvalidArgumentError('It has to be octal, like 660.')
  return Number.parseInt(word, 8)
}

function toAttribute (flag: string): string {
  return flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function readVersion (): string {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
  return manifest.version
}
