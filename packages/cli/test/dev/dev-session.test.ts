import { PcikitError } from '@pcikit/core'
import type { Plugin } from '@pcikit/core'
import { EventRecord } from '@pcikit/core/host'
import type { SwapOutcome, SwappableDevice } from '@pcikit/core/host'
import { describe, expect, it } from 'vitest'
import { DevSession } from '../../src/dev/dev-session.js'
import type { Build } from '../../src/dev/plugin-workshop.js'

const carried: SwapOutcome = { state: 'carried', durationMs: 1.25 }

function build (name: string, ...changed: string[]): Build {
  return { changed, outcome: { plugin: { name } as Plugin } }
}

/** A session whose device swaps as it is told. */
function begin (swap: (name: string) => Promise<SwapOutcome>) {
  const swapped: string[] = []
  const said: string[] = []
  const record = new EventRecord()
  const device = {
    name: 'edu',
    swap: ({ name }: Plugin) => {
      swapped.push(name)
      return swap(name)
    }
  }
  const session = new DevSession(device as unknown as SwappableDevice, record, {
    say: text => said.push(text),
    complain: text => said.push(`! ${text}`)
  })
  const settle = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
  return { session, swapped, said, record, settle }
}

describe('a session', () => {
  it('swaps a build in and says what became of it', async () => {
    const { session, said, settle } = begin(async name =>
      name === 'first' ? carried : { state: 'reset', reason: 'no save()', durationMs: 2 }
    )
    session.take(build('first', 'src/a.ts', 'src/b.ts'))
    await settle()
    session.take(build('second'))
    await settle()
    expect(said).toEqual([
      'src/a.ts, src/b.ts changed: swapped in 1.3 ms, state carried\n',
      'The source changed: swapped in 2.0 ms, device reset: no save()\n'
    ])
  })

  it('passes over builds that are behind by the time that they could be swapped in', async () => {
    let finish: (outcome: SwapOutcome) => void = () => undefined
    const { session, swapped, settle } = begin(() => new Promise(resolve => (finish = resolve)))
    for (const name of ['one', 'two', 'three']) session.take(build(name))
    finish(carried)
    await settle()
    finish(carried)
    await settle()
    expect(swapped).toEqual(['one', 'three'])
  })

  it('says why a build cannot be used, and swaps nothing', async () => {
    const { session, swapped, said, settle } = begin(async () => carried)
    session.take({
      changed: [],
      outcome: { failure: new PcikitError('PCIKIT_PLUGIN_INVALID', 'It does not compile.') }
    })
    await settle()
    expect([swapped, said]).toEqual([
      [],
      ['! The source changed, and the old code goes on: It does not compile. [PCIKIT_PLUGIN_INVALID]\n']
    ])
  })

  it('swaps another function in once the client is gone, unless there is a later build', async () => {
    const { session, swapped, said, record, settle } = begin(async () => {
      if (swapped.length > 2) return carried
      throw new PcikitError('PCIKIT_SWAP_SHAPE_DIFFERS', 'Another function.')
    })
    const { record: note } = { record: record.forDevice('edu') }
    const leave = (): void => note.record({ type: 'client', connected: false })
    leave()
    session.take(build('one', 'a.ts'))
    await settle()
    session.take(build('two', 'a.ts'))
    await settle()
    record.forDevice('other').record({ type: 'client', connected: false })
    await settle()
    expect(swapped).toEqual(['one', 'two'])
    leave()
    await settle()
    leave()
    await settle()
    expect(swapped).toEqual(['one', 'two', 'two'])
    expect(said.at(-1)).toContain('a.ts changed: swapped in')
  })
})
