import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  defaultMirror,
  parseDeb822Sources,
  parseOneLineSources,
  pickDebianMirror,
  readAptSources
} from '../../../src/vm/setup/apt-sources.mjs'

describe('parseOneLineSources', () => {
  it('reads binary sources with and without options', () => {
    const text = [
      '# deb http://commented.example/debian trixie main',
      'deb http://one.example/debian/ trixie main contrib # trailing',
      'deb-src http://one.example/debian trixie main',
      'deb [arch=amd64 signed-by=/etc/key.gpg] https://two.example/apt stable main',
      ''
    ].join('\n')
    expect(parseOneLineSources(text)).toEqual([
      { uri: 'http://one.example/debian', suite: 'trixie', components: ['main', 'contrib'] },
      { uri: 'https://two.example/apt', suite: 'stable', components: ['main'] }
    ])
  })
})

describe('parseDeb822Sources', () => {
  it('makes one source of each address and suite', () => {
    const text = [
      'Types: deb deb-src',
      '# a comment inside',
      'URIs: http://mirror.example/debian/',
      'Suites: bookworm bookworm-updates',
      'Components: main',
      ' non-free-firmware',
      'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg'
    ].join('\n')
    const components = ['main', 'non-free-firmware']
    expect(parseDeb822Sources(text)).toEqual([
      { uri: 'http://mirror.example/debian', suite: 'bookworm', components },
      { uri: 'http://mirror.example/debian', suite: 'bookworm-updates', components }
    ])
  })

  it('leaves out source packages and what is switched off', () => {
    const off = 'Types: deb\nEnabled: no\nURIs: http://off.example/debian\nSuites: trixie\nComponents: main\n'
    const source = 'Types: deb-src\nURIs: http://src.example/debian\nSuites: trixie\nComponents: main\n'
    expect(parseDeb822Sources(`${off}\n${source}`)).toEqual([])
  })
})

describe('pickDebianMirror', () => {
  const components = ['main']

  it('takes the archive, not security, updates or what others publish', () => {
    expect(pickDebianMirror([
      { uri: 'https://packages.example/cloud', suite: 'cloud-bookworm', components },
      { uri: 'https://node.example/node', suite: 'nodistro', components },
      { uri: 'http://mirror.example/debian-security', suite: 'bookworm-security', components },
      { uri: 'http://contrib.example/debian', suite: 'bookworm', components: ['contrib'] },
      { uri: 'http://mirror.example/debian', suite: 'bookworm', components }
    ])).toBe('http://mirror.example/debian')
  })

  it('falls back to the public mirror', () => {
    expect(pickDebianMirror([{ uri: 'http://ubuntu.example/ubuntu', suite: 'noble', components }])).toBe(defaultMirror)
    expect(pickDebianMirror([{ uri: 'cdrom:[Debian]/', suite: 'trixie', components }])).toBe(defaultMirror)
  })
})

describe('readAptSources', () => {
  it('reads both formats and ignores files of other names', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'pcikit-apt-'))
    try {
      const parts = join(folder, 'sources.list.d')
      await mkdir(parts)
      await writeFile(join(parts, 'a.sources'), 'Types: deb\nURIs: http://a/debian\nSuites: sid\nComponents: main\n')
      await writeFile(join(parts, 'b.list'), 'deb http://b/debian sid main\n')
      await writeFile(join(parts, 'c.list.disabled'), 'deb http://c/debian sid main\n')
      expect((await readAptSources(folder)).map(({ uri }) => uri)).toEqual(['http://a/debian', 'http://b/debian'])
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
