import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { filesBelow, packageNames, root, sourcesOf } from './sources.js'

/** A citation: the short name of a document, then the title of a section. */
const CITATION = /\[([A-Za-z][\w-]*)\] "[A-Z]/g

const document = readFileSync(`${root}docs/specifications.md`, 'utf8')
const pinned = [...document.matchAll(/^\| \[([\w-]+)\] \|/gm)].map(match => match[1] ?? '')
const cited = new Set(
  [...packageNames.flatMap(name => sourcesOf(name)), ...filesBelow('test/conformance', /\.ts$/)]
    .flatMap(file => [...file.text.matchAll(CITATION)].map(match => match[1] ?? ''))
)

describe('the specifications', () => {
  it('are each pinned once', () => {
    expect(new Set(pinned).size).toBe(pinned.length)
  })

  it('are pinned, all that the sources cite', () => {
    expect(cited.size).toBeGreaterThan(3)
    expect([...cited].filter(name => !pinned.includes(name))).toEqual([])
  })

  it('name tests that exist', () => {
    const tests = [...filesBelow('test', /\.test\.ts$/), ...filesBelow('packages', /\.test\.ts$/)].map(file =>
      file.path
    )
    const named = [...document.matchAll(/`([\w/-]+\.test\.ts)`/g)].map(match => match[1] ?? '')
    expect(named.length).toBeGreaterThan(3)
    expect(named.filter(name => !tests.some(path => path === name || path.endsWith(`/${name}`)))).toEqual([])
  })
})
