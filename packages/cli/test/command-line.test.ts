import { createCommandLine } from '@pcikit/cli'
import type { RunRequest } from '@pcikit/cli'
import { contribute, definePlugin, DEVICE, PLUGIN_API_VERSION } from '@pcikit/core'
import type { DeviceContribution } from '@pcikit/core'
import { describe, expect, it } from 'vitest'
import { explainExit } from '../src/exit-code.js'
import { showDevices } from '../src/show-devices.js'
import { diskOptions } from './disk-options.js'

const plugin = definePlugin({
  name: 'pcikit-device-disk',
  api: PLUGIN_API_VERSION,
  contributes: [
    contribute(DEVICE, {
      name: 'disk',
      summary: 'A disk',
      options: diskOptions,
      provider: { useFactory: () => undefined as never }
    })
  ]
})

interface Outcome {
  readonly requests: RunRequest[]
  readonly printed: string
  readonly error: unknown
  readonly complaint: string
}

async function call (...words: string[]): Promise<Outcome> {
  const requests: RunRequest[] = []
  let printed = ''
  let complaint = ''
  const program = createCommandLine([plugin], {
    run: async request => void requests.push(request),
    develop: async () => undefined,
    print: text => void (printed += text)
  })
  const output = {
    writeOut: (text: string) => void (printed += text),
    writeErr: (text: string) => void (complaint += text)
  }
  const silence = (command: typeof program): void => {
    command.configureOutput(output).exitOverride()
    for (const each of command.commands) silence(each)
  }
  silence(program)
  const error = await program.parseAsync(words, { from: 'user' }).then(() => undefined, (failure: unknown) => failure)
  return { requests, printed, error, complaint }
}

describe('pcikit run', () => {
  it('passes on what was given, typed as the schema has it, and nothing else', async () => {
    const { requests, error } = await call(
      ...[
        'run',
        'disk',
        '--socket',
        'a.sock',
        '--backend',
        'memory:1GiB',
        '--backend',
        'file:x',
        '--block-size',
        '4096'
      ],
      ...['--queues', '3', '--read-only', '--serial', '007']
    )
    expect(error).toBeUndefined()
    expect(requests).toEqual([{
      devices: [{
        type: 'disk',
        socket: 'a.sock',
        socketMode: 0o600,
        options: { backends: ['memory:1GiB', 'file:x'], blockSize: 4096, queues: 3, readOnly: true, serial: '007' }
      }],
      logger: { level: 'info', format: 'text' },
      records: []
    }])
  })

  it('switches off what is on unless told', async () => {
    const words = ['run', 'disk', '--socket', 'a', '--backend', 'x:']
    const { requests } = await call(...words, '--no-write-cache')
    expect(requests[0]?.devices[0]?.options).toEqual({ backends: ['x:'], writeCache: false })
  })

  it('passes on where to keep the record, and how long an unmap may wait', async () => {
    const words = ['run', 'disk', '--socket', 'a', '--backend', 'x:']
    const { requests } = await call(...words, '--record', 'r.jsonl', '--unmap-deadline-ms', '250')
    expect(requests[0]).toMatchObject({ records: [{ file: 'r.jsonl' }], devices: [{ unmapDeadlineMs: 250 }] })
  })

  it('takes the mode of the socket in octal', async () => {
    const { requests } = await call('run', 'disk', '--socket', 'a', '--backend', 'x:', '--socket-mode', '660')
    expect(requests[0]?.devices[0]?.socketMode).toBe(0o660)
  })

  it.each([
    ['a device that nobody contributes', ['run', 'nope', '--socket', 'a'], /unknown command 'nope'/],
    ['no socket', ['run', 'disk', '--backend', 'x:'], /--socket <path>/],
    ['no back end', ['run', 'disk', '--socket', 'a'], /--backend <SPEC>/],
    ['an option that does not exist', ['run', 'disk', '--socket', 'a', '--backend', 'x:', '--nope'], /--nope/],
    [
      'a value out of the list',
      ['run', 'disk', '--socket', 'a', '--backend', 'x:', '--block-size', '513'],
      /512 or 4096/
    ],
    ['a number that is none', ['run', 'disk', '--socket', 'a', '--backend', 'x:', '--queues', 'many'], /a number/],
    ['a mode that is none', ['run', 'disk', '--socket', 'a', '--backend', 'x:', '--socket-mode', '9'], /octal/]
  ])('refuses %s with one message and exit code 2', async (_, words, message) => {
    const { requests, error, complaint } = await call(...words)
    expect(requests).toEqual([])
    expect(complaint).toMatch(message)
    expect(explainExit(error)).toEqual({ code: 2 })
  })

  it('lists the options with their defaults', async () => {
    const { printed, error } = await call('run', 'disk', '--help')
    expect(printed).toMatch(/--block-size <512\|4096>\s+bytes in a block \(default: 512\)/)
    expect(printed.replace(/\s+/g, ' ')).toContain(
      '--backend <SPEC> what it stores on (can be given several times; required)'
    )
    expect(explainExit(error)).toEqual({ code: 0 })
  })
})

describe('pcikit dev', () => {
  it('takes the options of the device that is developed, and hands on its builds', async () => {
    const taken: unknown[] = []
    const [device] = plugin.contributes.map(({ value }) => value as DeviceContribution)
    const builds = { plugin, follow: () => undefined }
    const actions = {
      run: async () => undefined,
      print: () => undefined,
      develop: async (...given: unknown[]) => void taken.push(...given)
    }
    const words = ['dev', './disk', '--socket', 'a.sock', '--backend', 'memory:1MiB', '--queues', '3']
    await createCommandLine([plugin], actions, { device: device!, builds }).parseAsync(words, { from: 'user' })
    const options = { backends: ['memory:1MiB'], queues: 3 }
    expect(taken).toEqual([
      {
        device: { type: 'disk', socket: 'a.sock', socketMode: 0o600, options },
        logger: { level: 'info', format: 'text' },
        records: []
      },
      [plugin],
      builds
    ])
  })

  it('says what comes first', async () => {
    const { error } = await call('dev', '--socket', 'a.sock', '.')
    expect(explainExit(error)).toMatchObject({ code: 2, message: expect.stringContaining('right behind `dev`') })
  })
})

describe('pcikit devices', () => {
  it('lists the device types and where they come from', async () => {
    const { printed } = await call('devices')
    expect(printed).toMatch(/^disk\s+A disk\s+pcikit-device-disk$/m)
  })

  it('lists the plugins, what they bring and where they were loaded from', async () => {
    const origin = { file: '/app/node_modules/acme/index.js', version: '1.2.3' }
    const acme = { ...definePlugin({ name: 'acme', api: PLUGIN_API_VERSION, contributes: [] }), origin }
    expect(showDevices([plugin, acme], undefined)).toMatch(
      /\nacme +1\.2\.3 +\/app\/node_modules\/acme\/index\.js\n/
    )
    expect(showDevices([plugin, acme], undefined)).toMatch(
      /\npcikit-device-disk +device type disk +built in\n/
    )
  })

  it('lists the options of one device type', async () => {
    const { printed } = await call('devices', 'disk')
    expect(printed).toMatch(/^--doorbells trap\|mmap\s+how doorbells ring \(default: trap\)$/m)
    expect(printed).toMatch(/^--read-only\s+refuse writes/m)
  })

  it('refuses a device type that there is not, with exit code 2', async () => {
    const { error } = await call('devices', 'nope')
    expect(explainExit(error)).toMatchObject({ code: 2, message: expect.stringContaining('There is: disk') })
  })
})
