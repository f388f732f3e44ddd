import { relative } from 'node:path'
import { parseArgs } from 'node:util'
import { createProject } from './create-project.js'
import type { Project } from './create-project.js'
import { ProjectError } from './project-error.js'

/** Where text goes: a stream of the process, or a test's. */
export interface TextOutput {
  write(text: string): unknown
}

const EXIT_USAGE = 2

const HELP = `Usage: npm create pcikit-device <name> -- [options]

Makes a package with a PCI device in it: sources, tests, and what it takes to publish it.

  <name>            the device type: lower-case letters, digits and dashes, like my-device
  --scope <scope>   the scope of the package, like @acme; none unless given
  --dir <folder>    where to write it; a folder named after the device unless given
  --help            show this help

It asks nothing, installs nothing, and writes to an empty folder only.
`

/** Runs the command, and returns its exit code: 0, or 2 where what was asked for cannot be done. */
export async function runCommandLine (
  words: readonly string[],
  output: TextOutput,
  errors: TextOutput
): Promise<number> {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { scope: { type: 'string' }, dir: { type: 'string' }, help: { type: 'boolean' } }
    })
    const [name, ...others] = positionals
    if (values.help === true) {
      output.write(HELP)
      return 0
    }
    if (name === undefined) throw new ProjectError('The device has no name. Try: npm create pcikit-device my-device')
    if (others.length > 0) {
      throw new ProjectError(`One device at a time: what is '${others.join(' ')}' for? Try --help.`)
    }
    const { scope, dir } = values
    const project = createProject({
      name,
      ...(scope === undefined ? {} : { scope }),
      ...(dir === undefined ? {} : { folder: dir })
    })
    output.write(nextSteps(project))
    return 0
  } catch (error) {
    if (!isUsage(error)) throw error
    errors.write(`error: ${error.message}\n`)
    return EXIT_USAGE
  }
}

function isUsage (error: unknown): error is Error {
  if (error instanceof ProjectError) return true
  return error instanceof TypeError && String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS')
}

function nextSteps ({ packageName, folder, device }: Project): string {
  const place = relative(process.cwd(), folder)
  const enter = place === '' ? '' : `  cd ${place}\n`
  return `Made ${packageName} in ${folder}. Next:

${enter}  npm install
  npm test           # unit, compliance and socket tests
  npm start          # serves the device on ./${device}.sock, and says how to attach it to QEMU
  npm run test:vm    # boots a Linux guest with it

README.md says where the parts of the device are.
`
}
