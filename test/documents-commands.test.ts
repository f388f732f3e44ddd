import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import block from '@pcikit/block'
import { createCommandLine } from '@pcikit/cli'
import { contribute, definePlugin, DEVICE, PLUGIN_API_VERSION } from '@pcikit/core'
import type { Plugin } from '@pcikit/core'
import nvme from '@pcikit/device-nvme'
import virtioBlk from '@pcikit/device-virtio-blk'
import dma from '@pcikit/dma'
import socket from '@pcikit/transport-socket'
import snapshot from 'pcikit-block-snapshot'
import edu from 'pcikit-device-edu'
import idio16 from 'pcikit-device-idio-16'
import rng from 'pcikit-device-virtio-rng'
import { parse } from 'yaml'
import * as z from 'zod'
import { runCommandLine } from '../packages/create-pcikit-device/src/command-line.js'
import template from '../packages/create-pcikit-device/template/src/index.js'
import { blocksIn, documents } from './documents.js'
import type { CodeBlock } from './documents.js'
import { root } from './sources.js'

const folder = mkdtempSync(join(tmpdir(), 'pcikit-documents-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** The device of the tutorial, as far as a command line knows it. */
const adder = contribute(DEVICE, {
  name: 'adder',
  summary: 'the device of the tutorial',
  options: z.strictObject({ first: z.number().int().default(0) }),
  provider: { useFactory: () => undefined as never }
})

/** What comes with the command, and what documents speak of, under a name that no document gives to a plugin. */
const plugins: readonly Plugin[] = [
  ...[socket, dma, block, nvme, virtioBlk],
  definePlugin({
    name: 'documented',
    api: PLUGIN_API_VERSION,
    contributes: [adder, ...[edu, idio16, rng, snapshot, template].flatMap(plugin => plugin.contributes)]
  })
]

/** Nothing is served here: commands are parsed, and files for `serve` checked. */
function quietActions (print: (text: string) => void): NonNullable<Parameters<typeof createCommandLine>[1]> {
  const actions: Partial<ReturnType<typeof quietActions>> = { run: () => Promise.resolve(), print }
  return actions as ReturnType<typeof quietActions>
}

/** A command in a document. */
interface DocumentedCommand {
  readonly block: CodeBlock
  readonly text: string
  readonly words: readonly string[]
}

/** The simple commands of a block, without comments, variables in front, and lines that go on. */
function commandsOf (block: CodeBlock): readonly DocumentedCommand[] {
  return block.text.replace(/\\\n/g, ' ').split(/\n|&&|;|\|/).map(line => line.replace(/(^|\s)#.*$/, '').trim())
    .map(text => ({
      block,
      text,
      words: [...text.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? '')
    }))
    .map(command => ({
      ...command,
      words: command.words.slice(command.words.findIndex(word => !/^[A-Z_]+=/.test(word)))
    }))
    .filter(({ words }) => words.length > 0)
}

const commands = blocksIn('sh').flatMap(commandsOf)

/** The words after `pcikit`, however it is called. */
function wordsOfPcikit ({ words }: DocumentedCommand): readonly string[] | undefined {
  const plain = words[0] === 'npx' ? words.slice(1) : words
  if (plain[0] === 'pcikit') return plain.slice(1)
  if (plain[0] === 'npm' && plain[1] === 'start' && plain[2] === '--') return plain.slice(3)
  const script = plain.findIndex(word => /packages\/cli\/dist\/(main|pcikit)\.js$/.test(word))
  return plain[0] === 'node' && script > 0 ? plain.slice(script + 1) : undefined
}

/** What is wrong with the words after `pcikit`: nothing is run. */
function problemOf (words: readonly string[]): string | undefined {
  let command = createCommandLine(plugins, quietActions(() => undefined))
  let rest = words.filter(word => word !== '--help')
  for (;;) {
    const next = command.commands.find(each => each.name() === rest[0])
    if (next === undefined) break
    command = next
    rest = rest.slice(1)
  }
  if (command.commands.length > 0) return `'${rest.join(' ')}' is no command of ${command.name()}`
  try {
    const { operands, unknown } = command.exitOverride().parseOptions([...rest])
    const { registeredArguments: expected } = command
    if (unknown.length > 0) return `unknown: ${unknown.join(' ')}`
    if (operands.length > expected.length || operands.length < expected.filter(each => each.required).length) {
      return `operands: ${operands.join(' ')}`
    }
    const isHelp = words.includes('--help')
    const missing = command.options.find(each =>
      each.mandatory && command.getOptionValue(each.attributeName()) === undefined
    )
    return missing === undefined || isHelp ? undefined : `without ${missing.flags}`
  } catch (error) {
    return String(error)
  }
}

function scriptsIn (path: string): readonly string[] {
  const { scripts } = JSON.parse(readFileSync(`${root}${path}`, 'utf8')) as { scripts: Record<string, string> }
  return Object.keys(scripts)
}

const ownScripts = scriptsIn('package.json')
const createdScripts = scriptsIn('packages/create-pcikit-device/template/_package.json')

/** The scripts that whoever reads a document has: those of a project that was created, or of this repository. */
function scriptsFor ({ path }: CodeBlock): readonly string[] {
  const text = documents.find(document => document.path === path)?.text ?? ''
  if (path.includes('/template/')) return createdScripts
  return text.includes('npm create pcikit-device') ? [...ownScripts, ...createdScripts] : ownScripts
}

function report (command: DocumentedCommand, problem: string | undefined): readonly string[] {
  return problem === undefined ? [] : [`${command.block.path}:${command.block.line}: ${command.text}: ${problem}`]
}

describe('the commands in the documents', () => {
  it('of pcikit exist, with their options', () => {
    const calls = commands.flatMap(command => {
      const words = wordsOfPcikit(command)
      return words === undefined ? [] : [{ command, words }]
    })
    expect(calls.length).toBeGreaterThan(10)
    expect(calls.flatMap(({ command, words }) => report(command, problemOf(words)))).toEqual([])
  })

  it('would be refused if they did not exist', () => {
    expect(problemOf(['run', 'nvme', '--socket', 'a', '--no-such-option'])).toMatch(/unknown/)
    expect(problemOf(['run', 'nvme'])).toMatch(/without --socket/)
    expect(problemOf(['stroll', 'nvme'])).toMatch(/no command/)
    expect(problemOf(['serve'])).toMatch(/operands/)
  })

  it('of npm are scripts', () => {
    const missing = commands.flatMap(command => {
      const [npm, verb = '', name = ''] = command.words
      const script = verb === 'run' ? name : verb
      if (npm !== 'npm' || !['run', 'test', 'start'].includes(verb)) return []
      return report(command, scriptsFor(command.block).includes(script) ? undefined : 'there is no such script')
    })
    expect(missing).toEqual([])
  })

  it('that make a project make one', async () => {
    const calls = commands.filter(({ words }) => words.slice(0, 3).join(' ') === 'npm create pcikit-device')
    expect(calls.length).toBeGreaterThan(1)
    for (const [index, { words, text }] of calls.entries()) {
      let complaint = ''
      const output = { write: () => undefined }
      const errors = { write: (line: string) => complaint += line }
      const own = words.slice(3).filter(word => word !== '--')
      const code = await runCommandLine([...own, '--dir', join(folder, `project-${index}`)], output, errors)
      expect({ text, code, complaint }).toEqual({ text, code: 0, complaint: '' })
    }
  })
})

describe('the YAML in the documents', () => {
  const files = blocksIn('yaml')

  it.each(
    files.filter(({ text }) => /^devices:/m.test(text)).map(file => [`${file.path}:${file.line}`, file] as const)
  )(
    'is what `pcikit serve` takes, at %s',
    async (_, { text }) => {
      const place = mkdtempSync(join(folder, 'serve-'))
      const config = parse(text) as { plugins?: string | readonly string[] }
      for (const name of typeof config.plugins === 'object' ? config.plugins : []) writePlugin(place, name)
      writeFileSync(join(place, 'devices.yaml'), text)
      let printed = ''
      const actions = quietActions(line => void (printed += line))
      const words = ['serve', join(place, 'devices.yaml'), '--check']
      await createCommandLine(plugins, actions).parseAsync(words, { from: 'user' })
      expect(printed).toMatch(/devices\.yaml is right/)
    }
  )

  it('is YAML elsewhere too', () => {
    for (const { text } of files) expect(parse(text)).toBeTypeOf('object')
  })
})

describe('the JSON in the documents', () => {
  it('is JSON', () => {
    for (const { text } of blocksIn('json')) expect(JSON.parse(text)).toBeTypeOf('object')
  })
})

/** A plugin that brings nothing, where a file expects one. */
function writePlugin (place: string, name: string): void {
  const file = join(place, name.startsWith('.') ? name : `node_modules/${name}/index.js`)
  mkdirSync(dirname(file), { recursive: true })
  const manifest = `{ name: ${JSON.stringify(name)}, api: ${PLUGIN_API_VERSION}, contributes: [] }`
  writeFileSync(file, `export default { ...${manifest}, [Symbol.for('@pcikit/plugin')]: true }\n`)
  const exports = name.startsWith('.') ? {} : { name, exports: './index.js' }
  writeFileSync(join(dirname(file), 'package.json'), JSON.stringify({ type: 'module', ...exports }))
}
