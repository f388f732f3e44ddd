import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { packageNames, root, sourcesOf } from './sources.js'

/** Quoted codes; those that start with PCIKIT_VM_ are variables of the environment. */
const CODE = /(?<=')PCIKIT_(?!VM_)[A-Z_]+(?=')/g

const declared = [...readFileSync(`${root}packages/core/src/errors.ts`, 'utf8').matchAll(/^ {2}\| '(PCIKIT_\w+)'$/gm)]
  .map(match => match[1] ?? '')
const documented = [...readFileSync(`${root}docs/errors.md`, 'utf8').matchAll(/^\| `(PCIKIT_\w+)`/gm)]
  .map(match => match[1] ?? '')
const used = new Set(
  packageNames.flatMap(name => sourcesOf(name))
    .filter(file => !file.path.endsWith('core/src/errors.ts'))
    .flatMap(file => file.text.match(CODE) ?? [])
)

describe('the error codes', () => {
  it('are each declared once', () => {
    expect(new Set(declared).size).toBe(declared.length)
    expect(declared.length).toBeGreaterThan(10)
  })

  it('are documented, all of them and no others', () => {
    expect([...documented].sort()).toEqual([...declared].sort())
  })

  it('are used, all of them', () => {
    expect(declared.filter(code => !used.has(code))).toEqual([])
  })

  it('are declared where they are used', () => {
    expect([...used].filter(code => !declared.includes(code))).toEqual([])
  })
})
