import { silentLogger } from '@pcikit/core'
import type { Logger } from '@pcikit/core'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { NullBackend, watchSize } from '../src/index.js'
import type { BlockBackend } from '../src/index.js'

/** A back end whose looks for its size end as the test says. */
function backendWith (checkSize: BlockBackend['checkSize']): BlockBackend {
  return Object.assign(new NullBackend(4096, { blockSize: 512 }), { checkSize })
}

describe('watchSize', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('tells of each change, and of nothing else', async () => {
    const checkSize = vi.fn<() => boolean>().mockReturnValueOnce(false).mockReturnValueOnce(true).mockReturnValue(false)
    const onChange = vi.fn()
    const watch = watchSize(backendWith(checkSize), { everyMs: 1000, logger: silentLogger, onChange })
    await vi.advanceTimersByTimeAsync(4000)
    watch.close()
    expect([checkSize.mock.calls.length, onChange.mock.calls.length]).toEqual([4, 1])
  })

  it('looks no more once it is closed, and keeps what it finds meanwhile to itself', async () => {
    let answer: (hasChanged: boolean) => void = () => undefined
    const checkSize = vi.fn(() => new Promise<boolean>(resolve => (answer = resolve)))
    const onChange = vi.fn()
    const watch = watchSize(backendWith(checkSize), { everyMs: 10, logger: silentLogger, onChange })
    await vi.advanceTimersByTimeAsync(10)
    watch.close()
    answer(true)
    await vi.advanceTimersByTimeAsync(100)
    expect([checkSize.mock.calls.length, onChange.mock.calls.length]).toEqual([1, 0])
  })

  it('asks storage that has not answered yet once', async () => {
    const checkSize = vi.fn(() => new Promise<boolean>(() => undefined))
    const watch = watchSize(backendWith(checkSize), { everyMs: 10, logger: silentLogger, onChange: () => undefined })
    await vi.advanceTimersByTimeAsync(100)
    watch.close()
    expect(checkSize.mock.calls.length).toBe(1)
  })

  it('logs once that the size cannot be found out, and again after it could', async () => {
    const checkSize = vi.fn<() => Promise<boolean>>().mockRejectedValue(new Error('gone'))
    const warn = vi.fn()
    const logger: Logger = { ...silentLogger, warn }
    const watch = watchSize(backendWith(checkSize), { everyMs: 10, logger, onChange: () => undefined })
    await vi.advanceTimersByTimeAsync(50)
    const before = warn.mock.calls.length
    checkSize.mockResolvedValueOnce(false)
    await vi.advanceTimersByTimeAsync(50)
    watch.close()
    expect([before, warn.mock.calls.length]).toEqual([1, 2])
  })

  it.each([
    ['storage that keeps its size', new NullBackend(4096, { blockSize: 512 }), 10],
    ['anything when it should look never', backendWith(() => true), 0]
  ])('does not look at %s', async (_, backend, everyMs) => {
    const onChange = vi.fn()
    const watch = watchSize(backend, { everyMs, logger: silentLogger, onChange })
    expect(vi.getTimerCount()).toBe(0)
    watch.close()
    expect(onChange).not.toHaveBeenCalled()
  })
})
