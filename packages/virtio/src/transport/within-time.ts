import { setTimeout as delay } from 'node:timers/promises'

/** Waits for work that does not reject, but no longer than `timeoutMs`. False: the work goes on without anybody waiting. */
export async function withinTime (work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const timer = new AbortController()
  const expired = delay(timeoutMs, false, { signal: timer.signal }).catch(() => false)
  const isDone = await Promise.race([work.then(() => true), expired])
  timer.abort()
  return isDone
}
