import { basename } from 'node:path'

/** What of a CPU profile is used. Times are microseconds of the system's monotonic clock. */
interface Profile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string, readonly url: string, readonly lineNumber: number }
  }[]
  readonly startTime: number
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** What the profile calls the time in which the process slept. */
const IDLE = '(idle)'

/** How much of the processor time was spent in a function itself, from 0 to 1. */
export interface SelfTime {
  readonly name: string
  readonly share: number
}

/** The functions of a profile between two moments, those first that took most. */
export function selfTimes (text: string, fromUs: number, untilUs: number): SelfTime[] {
  const profile = JSON.parse(text) as Profile
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]))
  const times = new Map<string, number>()
  let at = profile.startTime
  let total = 0
  profile.samples.forEach((id, index) => {
    const delta = profile.timeDeltas[index]!
    at += delta
    if (at < fromUs || at > untilUs) return
    const name = names.get(id) ?? '?'
    if (name === IDLE) return
    times.set(name, (times.get(name) ?? 0) + delta)
    total += delta
  })
  return [...times].map(([name, time]) => ({ name, share: time / total }))
    .sort((left, right) => right.share - left.share)
}

function nameOf ({ functionName, url, lineNumber }: Profile['nodes'][number]['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName
  return url === '' ? name : `${name} ${basename(url)}:${lineNumber + 1}`
}
