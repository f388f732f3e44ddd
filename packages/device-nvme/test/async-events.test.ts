import { describe, expect, it } from 'vitest'
import { AsyncEvents } from '../src/async-events.js'
import { Command } from '../src/command.js'
import { Status } from '../src/status.js'

const command = (): Command => new Command(undefined as never)

describe('AsyncEvents', () => {
  it('keeps at most sixteen events, and each once', () => {
    const events = new AsyncEvents(() => undefined)
    for (let information = 0; information < 40; information++) events.raise(2, information % 20, 4)
    const request = command()
    expect(events.request(request)).toBe(Status.SUCCESS)
    expect(request.result).toBe(0x0004_0002)
    let count = 1
    for (events.clear(2); events.request(command()) === Status.SUCCESS; events.clear(2)) count++
    expect(count).toBe(16)
  })

  it('tells events of another type while one is masked', () => {
    const events = new AsyncEvents(() => undefined)
    events.raise(0, 0, 1)
    events.raise(1, 1, 2)
    const [first, second] = [command(), command()]
    events.request(first)
    events.request(second)
    expect([first.result, second.result]).toEqual([0x0001_0000, 0x0002_0101])
  })
})
