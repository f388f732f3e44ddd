import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createProject } from '../src/index.js'

interface Manifest {
  readonly name: string
  readonly scripts: Readonly<Record<string, string>>
}

describe('createProject', () => {
  let folder: string

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'create-pcikit-device-'))
  })

  afterEach(() => {
    rmSync(folder, { recursive: true })
  })

  const read = (path: string): string => readFileSync(join(folder, path), 'utf8')

  it('writes a package under the names that were asked for', () => {
    const project = createProject({ name: 'frame-grabber', scope: '@acme', folder })
    const manifest = JSON.parse(read('package.json')) as Manifest
    expect(project).toMatchObject({ packageName: '@acme/pcikit-device-frame-grabber', folder })
    expect(manifest.name).toBe('@acme/pcikit-device-frame-grabber')
    expect(manifest.scripts['start']).toContain('run frame-grabber --plugin . --socket ./frame-grabber.sock')
    expect(read('src/device.ts')).toContain('export class FrameGrabberDevice implements Device')
    expect(read('src/index.ts')).toContain("name: '@acme/pcikit-device-frame-grabber'")
  })

  it('leaves no name of the template behind', () => {
    const { files } = createProject({ name: 'frame-grabber', folder })
    expect(files.filter(path => /your-?device/i.test(path) || /your-?device/i.test(read(path)))).toEqual([])
  })

  it('brings what the package is published with, under its own name', () => {
    const { files } = createProject({ name: 'frame-grabber', folder })
    const wanted = [
      ...['.changeset/config.json', '.github/workflows/ci.yml', '.gitignore', 'LICENSE', 'README.md'],
      ...['package.json', 'test/compliance.test.ts', 'test/vm/guest.test.ts', 'tsconfig.json', 'vitest.config.ts']
    ]
    expect(wanted.filter(path => !files.includes(path))).toEqual([])
    expect(wanted.filter(path => !existsSync(join(folder, path)))).toEqual([])
    expect(read('.gitignore')).toContain('node_modules/')
  })

  it('takes the package for the device, and a class that is not Device alone', () => {
    const { device, className } = createProject({ name: 'pcikit-device-device', folder })
    expect([device, className]).toEqual(['device', 'DeviceDevice'])
  })

  it('writes to a folder that has a repository and nothing else', () => {
    execFileSync('git', ['init', '--quiet', folder])
    expect(createProject({ name: 'frame-grabber', folder }).files.length).toBeGreaterThan(10)
  })

  it('refuses a folder with something in it, and leaves it as it is', () => {
    writeFileSync(join(folder, 'thesis.txt'), 'mine')
    mkdirSync(join(folder, 'pictures'))
    expect(() => createProject({ name: 'frame-grabber', folder })).toThrow(
      `The folder ${folder} is not empty: it has pictures, thesis.txt. Nothing was written.`
    )
    expect(readdirSync(folder).sort()).toEqual(['pictures', 'thesis.txt'])
  })

  it('refuses a file in the place of the folder', () => {
    const file = join(folder, 'file')
    writeFileSync(file, '')
    expect(() => createProject({ name: 'frame-grabber', folder: file })).toThrow(`${file} is a file.`)
  })

  it.each(['', 'Frame', 'frame_grabber', '1st', 'frame--grabber', '../frame', 'a/b'])(
    'refuses the name "%s"',
    name => {
      expect(() => createProject({ name, folder })).toThrow(`A device cannot be named '${name}'.`)
      expect(readdirSync(folder)).toEqual([])
    }
  )

  it.each(['@', 'Acme', '@acme/tools', '-acme'])('refuses the scope "%s"', scope => {
    expect(() => createProject({ name: 'frame-grabber', scope, folder })).toThrow(`'${scope}' cannot be a scope`)
  })
})
