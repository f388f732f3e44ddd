/**
 * Has something done if this process ends before its time, by a signal or an error: what was started must not go on
 * without it. Returns what takes that back.
 */
export function atExit (action: () => void): () => void {
  process.on('exit', action)
  return () => void process.off('exit', action)
}
