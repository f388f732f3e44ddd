import { describe, expect, it } from 'vitest'
import { InFlight } from '../src/in-flight.js'

describe('InFlight', () => {
  it('is idle at first', async () => {
    expect(await new InFlight().idle()).toBeUndefined()
  })

  it('is idle only when all work is over', async () => {
    const inFlight = new InFlight()
    const events: string[] = []
    inFlight.begin()
    inFlight.begin()
    const idle = inFlight.idle().then(() => events.push('idle'))
    inFlight.end()
    await new Promise(setImmediate)
    events.push('one is left')
    inFlight.end()
    await idle
    expect(events).toEqual(['one is left', 'idle'])
  })

  it('takes failed work for over, and passes the failure on', async () => {
    const inFlight = new InFlight()
    const work = inFlight.track(Promise.reject(new Error('disk on fire')))
    await expect(work).rejects.toThrow('disk on fire')
    expect(await inFlight.idle()).toBeUndefined()
  })
})
