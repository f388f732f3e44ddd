import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { DEVICE, PcikitError } from '@pcikit/core'
import type { DeviceContribution, Plugin } from '@pcikit/core'
import { createHost } from '@pcikit/core/host'
import { Command, InvalidArgumentError, Option } from 'commander'
import { LOG_LEVELS } from './command-logger.js'
import type { LoggerOptions } from './command-logger.js'
import { loadConfig } from './config/load-config.js'
import { developDevice } from './dev/develop-device.js'
import type { Builds } from './dev/plugin-workshop.js'
import { describeOptions } from './device-options.js'
import type { DeviceOption } from './device-options.js'
import { describeEvents } from './event-text.js'
import type { EventFilter } from './event-text.js'
import { readRecord } from './keep-record.js'
import type { RecordOutput } from './keep-record.js'
import { runDevices } from './run-devices.js'
import type { DeviceRequest } from './run-devices.js'
import { describeOption, showDevices, valueOf } from './show-devices.js'
import { parseSocketMode, SOCKET_MODE } from './socket-mode.js'

/** What the command does, apart from parsing: replaced in tests. */
export interface Actions {
  readonly run: typeof runDevices
  readonly develop: typeof developDevice
  readonly print: (text: string) => void
}

const DEFAULT_ACTIONS: Actions = {
  run: runDevices,
  develop: developDevice,
  print: text => void process.stdout.write(text)
}

/** The device that `pcikit dev` is to serve. */
export interface Development {
  readonly device: DeviceContribution
  readonly builds: Builds
}

/**
 * Builds the command line out of what the plugins offer: each device type is a subcommand of `run`. `dev` serves the
 * device of `development`.
 */
export function createCommandLine (
  plugins: readonly Plugin[],
  actions: Actions = DEFAULT_ACTIONS,
  development?: Development
): Command {
  const program = new Command('pcikit')
    .description('PCI devices that live in user space: a device is a process, QEMU plugs it in over a socket.')
    .version(readVersion(), '--version', 'print the version')
    .helpOption('--help', 'show this help')
    .addOption(pluginOption())
    .addOption(discoverOption())
    .exitOverride()
  const run = program.command('run').description('serve a device until SIGINT or SIGTERM')
  for (const { value } of createHost({ plugins }).extensions.list(DEVICE)) {
    const command = run.command(value.name).description(value.summary)
    const readRequest = addDeviceOptions(command, value)
    command.action(async (given: Record<string, unknown>) => {
      await actions.run({ devices: [readRequest(given)], ...readProcessOptions(given) }, plugins)
    })
  }
  addDev(program, plugins, actions, development)
  addServe(program, plugins, actions)
  program.command('devices').argument('[device]', 'show the options of this device type')
    .description('show the device types that the plugins offer, their options, and where the plugins were found')
    .addOption(pluginOption())
    .addOption(discoverOption())
    .action((type: string | undefined) => actions.print(showDevices(plugins, type)))
  program.command('events').argument('<file>', 'what `--record` wrote')
    .description('show a record readably, and what happened to an address')
    .addOption(new Option('--iova <address>', 'only what concerns this guest address').argParser(parseAddress))
    .option('--device <name>', 'only this device')
    .action((file: string, filter: EventFilter) => actions.print(describeEvents(readRecord(file), filter)))
  return program
}

/** Adds what can be said of every device to a command. */
function addServingOptions (command: Command): void {
  command
    .requiredOption('--socket <path>', 'the UNIX socket to serve on')
    .addOption(
      new Option('--socket-mode <octal>', 'the mode of the socket file')
        .default(SOCKET_MODE, SOCKET_MODE.toString(8)).argParser(parseMode)
    )
    .addOption(
      new Option('--unmap-deadline-ms <n>', 'by when an unmap or a reset is answered (default: 1000)')
        .argParser(parseNumber)
    )
  addProcessOptions(command)
}

/** Adds what can be said of a device to a command. Returns what makes a request of what was given. */
function addDeviceOptions (
  command: Command,
  { name: type, options }: DeviceContribution
): (given: Record<string, unknown>) => DeviceRequest {
  addServingOptions(command)
  const own = describeOptions(options).map(option => ({ option, made: toCommanderOption(option) }))
  for (const { made } of own) command.addOption(made)
  return given => {
    const values = own.flatMap(({ option, made }) => {
      const attribute = made.attributeName()
      const isGiven = command.getOptionValueSource(attribute) === 'cli'
      return isGiven ? [[option.property, given[attribute]] as const] : []
    })
    return {
      type,
      socket: given['socket'] as string,
      socketMode: given['socketMode'] as number,
      ...(given['unmapDeadlineMs'] === undefined ? {} : { unmapDeadlineMs: given['unmapDeadlineMs'] as number }),
      options: Object.fromEntries(values)
    }
  }
}

function addDev (
  program: Command,
  plugins: readonly Plugin[],
  actions: Actions,
  development: Development | undefined
): void {
  const command = program.command('dev')
    .argument('<plugin>', 'the folder of its package, its module, or the name of its package; then its options')
    .description('serve a device, and swap its code under the guest whenever its source changes')
    .addOption(new Option('--type <name>', 'the device type, where the plugin has several'))
  if (development === undefined) {
    addServingOptions(command)
    command.allowUnknownOption().allowExcessArguments().action(() => {
      throw new PcikitError(
        'PCIKIT_OPTION_INVALID',
        'The plugin comes right behind `dev`, since it decides which options there are: pcikit dev . --socket a.sock'
      )
    })
    return
  }
  const readRequest = addDeviceOptions(command, development.device)
  command.action(async (_: string, given: Record<string, unknown>) => {
    const request = { device: readRequest(given), ...readProcessOptions(given) }
    await actions.develop(request, plugins, development.builds)
  })
}

function addServe (program: Command, plugins: readonly Plugin[], actions: Actions): void {
  const command = program.command('serve').argument('<file>', 'a YAML file of plugins, back ends and devices')
    .description('serve the devices of a file in one process, until SIGINT or SIGTERM')
    .option('--check', 'only check the file')
  addProcessOptions(command)
  command.action(async (file: string, given: Record<string, unknown>) => {
    const { plugins: all, folder, devices, records, deviceLevels } = await loadConfig(file, plugins)
    if (given['check'] === true) {
      actions.print(`${file} is right: ${devices.map(({ name, type }) => `${name} (${type})`).join(', ')}\n`)
      return
    }
    const own = readProcessOptions(given)
    await actions.run({
      devices,
      logger: { ...own.logger, deviceLevels },
      records: [...own.records.map(record => ({ file: resolve(record.file) })), ...records],
      ...(folder === undefined ? {} : { folder })
    }, all)
  })
}

/** What concerns the process and not one of its devices. */
function addProcessOptions (command: Command): void {
  command
    .addOption(new Option('--log-level <level>', 'what to log').choices(LOG_LEVELS).default('info'))
    .addOption(new Option('--log-format <format>', 'how to log').choices(['text', 'json']).default('text'))
    .option('--record <file>', 'stream every map, unmap, reset and fault there, as JSON lines')
    .addOption(pluginOption())
    .addOption(discoverOption())
}

function readProcessOptions (
  given: Record<string, unknown>
): { readonly logger: LoggerOptions, readonly records: readonly RecordOutput[] } {
  return {
    logger: { level: given['logLevel'] as string, format: given['logFormat'] as 'text' | 'json' },
    records: given['record'] === undefined ? [] : [{ file: given['record'] as string }]
  }
}

/** It is looked for before the command line is parsed, since plugins decide what can be: here it is only described. */
function pluginOption (): Option {
  return new Option('--plugin <name>', 'load a plugin by package name or ./path (can be given several times)')
}

/** It is looked for before the command line is parsed, like `--plugin`. */
function discoverOption (): Option {
  return new Option('--discover', 'load every plugin among the dependencies in the package.json here')
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
  const mode = parseSocketMode(word)
  if (mode === undefined) throw new InvalidArgumentError('It has to be octal, like 660.')
  return mode
}

function readVersion (): string {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
  return manifest.version
}
