import type { InterruptLines, IrqTrigger } from '@pcikit/core'

/** Lines that note what a client sets up, and have the triggers at hand. */
export function fakeLines () {
  const calls: string[] = []
  const triggers = new Map<string, IrqTrigger | undefined>()
  const note = (what: string) => (index: number, start: number, count: number): void =>
    void calls.push(`${what} ${index} ${start}+${count}`)
  const lines: InterruptLines = {
    info: index => ({ index, count: index === 0 ? 1 : 4, maskable: true, automasked: index === 0, noresize: false }),
    assign: (index, start, given) => {
      for (const [nth, trigger] of given.entries()) triggers.set(`${index}.${start + nth}`, trigger)
      calls.push(`assign ${index} ${start}+${given.map(trigger => trigger === undefined ? '-' : 'T').join('')}`)
    },
    mask: note('mask'),
    unmask: note('unmask'),
    trigger: note('trigger'),
    release: () => void calls.push('release')
  }
  return { lines, calls, triggers }
}

/** A trigger that notes what becomes of it. */
export function fakeTrigger (): IrqTrigger & { signals: number, closes: number } {
  return {
    signals: 0,
    closes: 0,
    signal () {
      this.signals++
    },
    close () {
      this.closes++
    }
  }
}
