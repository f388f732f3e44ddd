/**
 * Waits for work, but not for ever. False: the time is over. The work then goes on, and whatever comes of it is
 * nobody's concern any more. Rejects as the work does.
 */
export async function endsWithin (work: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined = undefined
  const expired = new Promise<boolean>(resolve => {
    timer = setTimeout(resolve, timeoutMs, false)
  })
  try {
    return await Promise.race([work.then(() => true), expired])
  } finally {
    clearTimeout(timer)
  }
}
