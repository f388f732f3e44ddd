// node bench/dist/main.js PART... [--reps N] [--ms N] [--full]; see bench/README.md.
import { parseArgs } from 'node:util'
import { measureGuest } from './guest/guest.js'
import { allowedCores, describeMachine, moveTo } from './measure/processor.js'
import { measurePolled } from './polled/polled.js'
import { profilePolled } from './profile/profile.js'
import { formatSection } from './report/format.js'
import { writeDocs, writeResult } from './report/store.js'
import type { Section } from './report/section.js'
import { measureScale } from './scale/scale.js'
import type { Storage, SuiteOptions } from './suite-options.js'
import { measureIdle } from './system/idle.js'
import { measureStart } from './system/start.js'

/** How often, and for how many milliseconds, each thing is measured unless told. */
interface Part {
  readonly measure: (options: SuiteOptions) => Promise<Section[]>
  readonly repetitions: number
  readonly sliceMs: number
}

const parts: Readonly<Record<string, Part>> = {
  polled: { measure: measurePolled, repetitions: 7, sliceMs: 150 },
  scale: { measure: measureScale, repetitions: 9, sliceMs: 100 },
  start: { measure: measureStart, repetitions: 11, sliceMs: 0 },
  idle: { measure: measureIdle, repetitions: 5, sliceMs: 4000 },
  guest: { measure: measureGuest, repetitions: 5, sliceMs: 400 },
  profile: { measure: profilePolled, repetitions: 1, sliceMs: 10_000 }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    reps: { type: 'string' },
    ms: { type: 'string' },
    full: { type: 'boolean', default: false },
    storage: { type: 'string' },
    cpus: { type: 'string' },
    guests: { type: 'string', default: '3' }
  }
})

function asStorage (word: string): Storage {
  if (word === 'memory' || word === 'file' || word === 'null') return word
  throw new Error(`"${word}" is no storage. Storages: memory, file, null.`)
}

async function measure (name: string): Promise<void> {
  const part = parts[name]
  if (part === undefined) throw new Error(`There is no part "${name}". Parts: ${Object.keys(parts).join(', ')}, docs.`)
  const options = {
    repetitions: Number(values.reps ?? part.repetitions),
    sliceMs: Number(values.ms ?? part.sliceMs),
    isFull: values.full,
    storages: (values.storage ?? (values.full ? 'memory,file' : 'memory')).split(',').map(asStorage),
    guestCpus: (values.cpus ?? (values.full ? '1,2' : '1')).split(',').map(Number),
    guests: Number(values.guests)
  }
  const machine = describeMachine()
  const takenAt = new Date().toISOString()
  console.log(`\n${name}: ${options.repetitions} times, ${options.sliceMs} ms; median (least–most)`)
  const cores = allowedCores()
  const sections = await part.measure(options)
  // A part may have moved to one core, and the next one would start everything there.
  if (allowedCores() !== cores) moveTo(cores)
  for (const section of sections) console.log(formatSection(section))
  const command = [
    'npm run bench --',
    name,
    ...process.argv.slice(2).filter(word => word !== name && parts[word] === undefined)
  ]
  writeResult({ part: name, takenAt, machine, command: command.join(' '), sections })
}

// What was started is ended on exit.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

const [first, ...others] = positionals
if (first === 'docs') writeDocs(others)
else for (const name of positionals.length > 0 ? positionals : Object.keys(parts)) await measure(name)
