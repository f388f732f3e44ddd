import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findSource } from '../../src/dev/find-source.js'

describe('the source of a plugin', () => {
  let folder: string
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'pcikit-dev-')))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  function write (path: string, text: string | object = ''): void {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), typeof text === 'string' ? text : JSON.stringify(text))
  }

  it.each([
    ['what was built from it', { exports: { '.': { types: './dist/x.d.ts', default: './dist/x.js' } } }, 'src/x.ts'],
    ['a main module', { main: './dist/x.js' }, 'src/x.ts'],
    ['its condition', { exports: { '.': { source: './lib/y.ts', default: './dist/x.js' } } }, 'lib/y.ts'],
    [
      'a condition within one',
      { exports: { node: { development: './lib/y.ts' }, default: './dist/x.js' } },
      'src/x.ts'
    ],
    ['its own field', { source: 'lib/y.ts', exports: './dist/x.js' }, 'lib/y.ts'],
    ['what it is itself', { exports: './plain.js' }, 'plain.js']
  ])('of a package is found by %s', (_, manifest, entry) => {
    for (const file of ['src/x.ts', 'lib/y.ts', 'plain.js', 'dist/x.js']) write(file)
    write('package.json', manifest)
    expect(findSource('.', folder)).toEqual({ entry: join(folder, entry), folder })
  })

  it('is a module, in the package around it or in none', () => {
    write('package.json', {})
    write('deep/plugin.ts')
    expect(findSource('deep/plugin.ts', folder)).toEqual({ entry: join(folder, 'deep/plugin.ts'), folder })
  })

  it('is found by the name of a package', () => {
    write('node_modules/@acme/device/package.json', { exports: './dist/index.js' })
    write('node_modules/@acme/device/src/index.ts')
    const found = join(folder, 'node_modules/@acme/device')
    expect(findSource('@acme/device', folder)).toEqual({ entry: join(found, 'src/index.ts'), folder: found })
  })

  it.each([
    ['nothing', 'nowhere', "There is no plugin 'nowhere'"],
    ['a package without a module', '.', 'names no module']
  ])('is not found in %s', (_, target, message) => {
    write('package.json', {})
    expect(() => findSource(target, folder)).toThrow(message)
  })

  it('is not found where what is named is not there', () => {
    write('package.json', { exports: './dist/index.js' })
    expect(() => findSource('.', folder)).toThrow(`There is no ${join(folder, 'src/index.ts')} and no`)
  })
})
