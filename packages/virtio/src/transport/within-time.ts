/** Waits for work that does not reject, but no longer than `timeoutMs`. False: it goes on without anybody waiting. */
export function withinTime (work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, timeoutMs, false)
    void work.then(() => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}
