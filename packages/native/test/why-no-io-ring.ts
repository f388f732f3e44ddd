import { IoRing } from '../src/index.js'

/** Why tests of io_uring cannot run here; `undefined` where they can. */
export function whyNoIoRing (): string | undefined {
  try {
    IoRing.create(1).close()
    return undefined
  } catch (error) {
    return `io_uring cannot be used here: ${String(error)}`
  }
}
