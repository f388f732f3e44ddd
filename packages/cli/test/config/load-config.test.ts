import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import block, { BLOCK_BACKEND, openBlockBackend } from '@pcikit/block'
import { contribute, definePlugin, DEVICE, PLUGIN_API_VERSION, silentLogger } from '@pcikit/core'
import { createHost } from '@pcikit/core/host'
import nvme from '@pcikit/device-nvme'
import virtioBlk from '@pcikit/device-virtio-blk'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { loadConfig } from '../../src/config/load-config.js'
import type { LoadedConfig } from '../../src/config/load-config.js'
import { explainExit } from '../../src/exit-code.js'
import { diskOptions } from '../disk-options.js'

/** It needs no back end. */
const options = diskOptions.partial({ backends: true })

const plugin = definePlugin({
  name: 'pcikit-device-disk',
  api: PLUGIN_API_VERSION,
  contributes: [
    contribute(DEVICE, {
      name: 'disk',
      summary: 'A disk',
      options,
      provider: { useFactory: () => undefined as never }
    }),
    contribute(DEVICE, {
      name: 'clock',
      summary: 'A clock',
      options: z.strictObject({ zone: z.string().describe('the time zone') }),
      provider: { useFactory: () => undefined as never }
    })
  ]
})

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pcikit-config-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function load (text: string): Promise<LoadedConfig> {
  const file = join(folder, 'serve.yaml')
  writeFileSync(file, text)
  return loadConfig(file, [block, plugin])
}

/** Every problem of a text, without the folder of its file: `2:3 what is wrong`. */
async function problemsOf (text: string): Promise<readonly string[]> {
  const error: unknown = await load(text).then(() => undefined, (failure: unknown) => failure)
  const { code, details } = error as { code: string, details: { problems: { at: string, message: string }[] } }
  expect(code).toBe('PCIKIT_CONFIG_INVALID')
  return details.problems.map(({ at, message }) => `${at.replace(/^.*serve\.yaml:/, '')} ${message}`)
}

describe('loadConfig', () => {
  it('reads devices in their order, with what was given and nothing else', async () => {
    const config = await load(`
      devices:
        boot: { type: disk, socket: run/boot.sock, options: { backends: ['memory:1MiB'], serial: A1 } }
        data:
          type: disk
          socketMode: 0660
          logLevel: debug
          record: data.jsonl
          unmapDeadlineMs: 250
    `)
    expect(config.devices).toEqual([
      {
        name: 'boot',
        type: 'disk',
        source: `${join(folder, 'serve.yaml')}:3:9`,
        socket: join(folder, 'run/boot.sock'),
        socketMode: 0o600,
        options: { backends: ['memory:1MiB'], serial: 'A1' }
      },
      {
        name: 'data',
        type: 'disk',
        source: `${join(folder, 'serve.yaml')}:4:9`,
        socket: join(folder, 'data.sock'),
        socketMode: 0o660,
        unmapDeadlineMs: 250,
        options: {}
      }
    ])
    expect(config).toMatchObject({
      folder,
      records: [{ file: join(folder, 'data.jsonl'), device: 'data' }],
      deviceLevels: { data: 'debug' }
    })
  })

  it('reads JSON too, and aliases as what they stand for', async () => {
    const json = await load('{ "devices": { "boot": { "type": "disk", "socketMode": "660" } } }')
    const aliases = await load(`
      devices:
        one: { type: disk, options: &same { queues: 3 } }
        two: { type: disk, options: *same }
    `)
    expect(json.devices[0]?.socketMode).toBe(0o660)
    expect(aliases.devices.map(device => device.options)).toEqual([{ queues: 3 }, { queues: 3 }])
  })

  it('lets devices open the back ends by their names', async () => {
    const { plugins } = await load(`
      backends: { scratch: 'memory:1MiB' }
      devices: { boot: { type: disk, options: { backends: [scratch] } } }
    `)
    const { extensions } = createHost({ plugins })
    expect(extensions.list(BLOCK_BACKEND).at(-1)?.value).toMatchObject({ name: 'scratch', summary: 'memory:1MiB' })
    await using backend = await openBlockBackend(extensions, 'scratch', { blockSize: 512, logger: silentLogger })
    expect(backend.blockCount).toBe(2048)
  })

  it('loads plugins from the folder of the file', async () => {
    mkdirSync(join(folder, 'node_modules', 'some-plugin'), { recursive: true })
    const source = `export default {
      name: 'some-plugin', api: ${PLUGIN_API_VERSION}, contributes: [], [Symbol.for('@pcikit/plugin')]: true
    }`
    writeFileSync(join(folder, 'node_modules', 'some-plugin', 'index.mjs'), source)
    writeFileSync(join(folder, 'node_modules', 'some-plugin', 'package.json'), '{ "main": "index.mjs" }')
    writeFileSync(join(folder, 'own.mjs'), source.replace('some-plugin', 'own'))
    const { plugins } = await load(`
      plugins: [some-plugin, ./own.mjs]
      devices: { boot: { type: disk } }
    `)
    expect(plugins.map(each => each.name)).toEqual(expect.arrayContaining(['some-plugin', 'own']))
  })

  it('says that a file cannot be read', async () => {
    await expect(loadConfig(join(folder, 'none.yaml'), [block, plugin]))
      .rejects.toMatchObject({ code: 'PCIKIT_CONFIG_UNREADABLE', cause: { code: 'ENOENT' } })
  })
})

describe('docs/serve.md', () => {
  describe('with plugins: discover', () => {
    const install = (name: string, source: string): void => {
      const place = join(folder, 'node_modules', name)
      mkdirSync(place, { recursive: true })
      writeFileSync(join(place, 'index.mjs'), source)
      writeFileSync(
        join(place, 'package.json'),
        JSON.stringify({ name, main: 'index.mjs', keywords: ['pcikit-plugin'] })
      )
    }
    const source = (name: string): string =>
      `export default {
        name: '${name}', api: ${PLUGIN_API_VERSION}, contributes: [], [Symbol.for('@pcikit/plugin')]: true
      }`
    const TEXT = 'plugins: discover\ndevices: { a: { type: disk }, b: { type: clok } }'

    it('finds them among the dependencies of the application that the file is in, and misses none twice', async () => {
      const dependencies = { 'some-plugin': '1', 'pcikit-device-disk': '1' }
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'app', dependencies }))
      install('some-plugin', source('some-plugin'))
      install('pcikit-device-disk', source('pcikit-device-disk'))
      const { plugins } = await load(TEXT.replace(', b: { type: clok }', ''))
      expect(plugins.slice(0, 3).map(each => each.name)).toEqual(['@pcikit/block', 'pcikit-device-disk', 'some-plugin'])
    })

    it('tells which cannot be used, and not what those might have contributed', async () => {
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'app', dependencies: { bad: '1' } }))
      install('bad', "throw new Error('out of order')")
      expect(await problemsOf(TEXT)).toEqual([expect.stringMatching(/^1:10 bad cannot be used: .* out of order$/)])
    })

    it('tells that there is no application', async () => {
      expect(await problemsOf(TEXT)).toEqual([expect.stringMatching(/^1:10 Plugins are looked for/)])
    })
  })

  it('has an example that is right, where its plugins are', async () => {
    const document = readFileSync(new URL('../../../../docs/serve.md', import.meta.url), 'utf8')
    const example = /```yaml\n(.*?)```/s.exec(document)?.[1] ?? ''
    const file = join(folder, 'devices.yaml')
    writeFileSync(file, example.replace(/plugins:(\n {2}.*)*/, ''))
    const { devices } = await loadConfig(file, [block, nvme, virtioBlk])
    expect(devices.map(({ name, type }) => [name, type])).toEqual([['boot', 'nvme'], ['data', 'virtio-blk']])
  })
})

describe('the mistakes of a file', () => {
  it('are shown with their lines, all of them, in order', async () => {
    const error: unknown = await load([
      'devices:',
      '  boot: { type: disk, options: { quues: 4 } }',
      '  data: { typ: disk }',
      ''
    ].join('\n')).catch((failure: unknown) => failure)
    const file = join(folder, 'serve.yaml')
    expect(explainExit(error)).toEqual({
      code: 2,
      message: [
        `error: There are 3 mistakes in ${file}. [PCIKIT_CONFIG_INVALID]`,
        '',
        `${file}:2:34: unknown option \`quues\` of disk; did you mean \`queues\`?`,
        '  2 |   boot: { type: disk, options: { quues: 4 } }',
        '    |                                  ^^^^^',
        '',
        `${file}:3:3: the device \`data\` has no \`type\``,
        '  3 |   data: { typ: disk }',
        '    |   ^^^^',
        '',
        `${file}:3:11: unknown key \`typ\` of the device \`data\`; did you mean \`type\`? Options of its type stand below ` +
        '`options`.',
        '  3 |   data: { typ: disk }',
        '    |           ^^^'
      ].join('\n')
    })
  })

  it.each([
    ['what is not YAML', 'devices: "a', [/^1:12 this is not YAML: Missing closing/]],
    ['a key that stands twice', 'devices:\n  a: { type: disk }\n  a: { type: disk }', [
      /^3:3 this is not YAML: Map keys/
    ]],
    ['two documents', 'devices: {}\n---\ndevices: {}', [/^\S+ this is not YAML/]],
    ['nothing', '', [/^1:1 the file has to be a mapping/]],
    ['a list', '- a', [/^1:1 the file has to be a mapping/]],
    ['no device', 'plugins: []', [/^1:1 there is no device/]],
    ['an empty list of devices', 'devices: {}', [/^1:1 there is no device/]],
    ['an unknown key', 'device: {}\ndevices: { a: { type: disk } }', [/^1:1 unknown key `device`.*mean `devices`/]],
    ['a key that is no text', 'devices: { 7: { type: disk }, a: { type: disk } }', [/^1:12 a key has to be text/]],
    ['an alias of what it is in', 'devices: &all { a: { type: disk, options: *all } }', [/^1:43 this alias is part/]]
  ])('are told: %s', async (_, text, expected) => {
    expect(await problemsOf(text)).toEqual(expected.map((each): unknown => expect.stringMatching(each)))
  })

  it.each([
    ['an unknown type', '{ type: dsk }', /^1:23 there is no device type `dsk`; did you mean `disk`\?$/],
    ['a type like no other', '{ type: toaster }', /^1:23 there is no device type `toaster`; there is `disk`, `clock`$/],
    ['a type that is a number', '{ type: 7 }', /^1:23 `type` has to be text; write '7' in quotes$/],
    ['a device that is text', 'disk', /^1:15 the device `a` has to be a mapping/],
    ['a device that is nothing', '', /^1:16 the device `a` has to be a mapping/],
    [
      'options in the wrong place',
      '{ type: disk, queues: 4 }',
      /^1:29 unknown key `queues`.* stand below `options`\.$/
    ],
    ['a socket mode', '{ type: disk, socketMode: 9 }', /^1:41 `socketMode` has to be octal/],
    ['a log level', '{ type: disk, logLevel: loud }', /^1:39 there is no log level `loud`; there is trace, debug/],
    ['a deadline', '{ type: disk, unmapDeadlineMs: soon }', /^1:46 `unmapDeadlineMs` has to be a number of milli/],
    ['an option', '{ type: disk, options: { queues: 65 } }', /^1:48 `queues` of disk: Too big: expected .*64$/],
    ['an option of another kind', '{ type: disk, options: { queues: x } }', /^1:48 `queues` of disk: .*number/],
    [
      'an option out of a list',
      '{ type: disk, options: { blockSize: 7 } }',
      /^1:51 `blockSize` of disk: can be 512 or/
    ],
    ['text without quotes', '{ type: disk, options: { serial: 007 } }', /^1:48 .*: has to be text; write '007' in/],
    ['one in place of a list', '{ type: disk, options: { backends: x } }', /^1:50 .*: has to be a list, like \[x\]$/],
    ['an option as users type it', '{ type: disk, options: { block-size: 512 } }', /did you mean `blockSize`\?$/],
    ['options that are a list', '{ type: disk, options: [1] }', /^1:38 options have to be a mapping/],
    ['a missing option', '{ type: clock }', /^1:12 `zone` of clock is missing: the time zone$/],
    ['an unknown back end', '{ type: disk, options: { backends: [disk] } }', /^1:51 there is no back end `disk`; /],
    ['a path', '{ type: disk, options: { backends: [a.img] } }', /^1:51 .*write `file:a\.img` for a file$/],
    ['a size', "{ type: disk, options: { backends: ['memory:big'] } }", /^1:51 "big" is not a size/]
  ])('are told of a device: %s', async (_, device, expected) => {
    expect(await problemsOf(`devices: { a: ${device} }`)).toEqual([expect.stringMatching(expected)])
  })

  it.each([
    ['a kind that is none', 'x: tape:1', /^1:16 there is no back end `tape`; /],
    ['an argument', 'x: memory:big', /^1:16 "big" is not a size/],
    ['the name of a kind', 'memory: "null:1MiB"', /^1:13 `memory` is a kind of back end already/],
    ['a name with capitals', 'My disk: "null:1MiB"', /^1:13 `My disk` cannot be the name of a back end/],
    ['nothing', 'x: ', /^1:17 the back end `x` has to be text$/]
  ])('are told of a back end: %s', async (_, backend, expected) => {
    expect(await problemsOf(`backends: { ${backend} }\ndevices: { a: { type: disk } }`))
      .toEqual([expect.stringMatching(expected)])
  })

  it('are two uses of one back end', async () => {
    expect(
      await problemsOf(`
backends: { x: 'memory:1MiB' }
devices:
  a: { type: disk, options: { backends: [x] } }
  b: { type: disk, options: { backends: [x] } }
`)
    ).toEqual([expect.stringMatching(/^5:42 the back end `x` is used already, by `a`/)])
  })

  it('are files that two devices would make', async () => {
    expect(
      await problemsOf(`devices:
  a: { type: disk }
  b: { type: disk, socket: ./a.sock, record: r }
  c: { type: disk, record: r }
`)
    ).toEqual([
      expect.stringMatching(/^3:28 .*\/a\.sock is used already, at .*serve\.yaml:2:3$/),
      expect.stringMatching(/^4:28 .*\/r is used already, at .*serve\.yaml:3:46$/)
    ])
  })

  it('are plugins that are not there, and not what they might contribute', async () => {
    writeFileSync(join(folder, 'throws.mjs'), 'throw new Error("out of order")')
    expect(
      await problemsOf(`plugins: [./none.js, ./throws.mjs]
devices:
  a: { type: toaster }
  b: { type: disk, options: { queue: 1 } }
`)
    ).toEqual([
      expect.stringMatching(/^1:11 The plugin '.\/none.js' cannot be found/),
      expect.stringMatching(/^1:22 The plugin '.\/throws.mjs' was found.* out of order$/),
      expect.stringMatching(/^4:31 unknown option `queue`/)
    ])
  })

  it('are plugins that do not go together', async () => {
    writeFileSync(
      join(folder, 'twice.mjs'),
      `export default {
        name: 'pcikit-device-disk', api: ${PLUGIN_API_VERSION}, contributes: [], [Symbol.for('@pcikit/plugin')]: true
      }`
    )
    expect(await problemsOf('plugins: [./twice.mjs]\ndevices: { a: { type: disk } }'))
      .toEqual([expect.stringMatching(/^1:11 pcikit-device-disk is in the list of plugins twice/)])
  })
})
