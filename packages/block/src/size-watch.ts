import type { Logger, Subscription } from '@pcikit/core'
import type { BlockBackend } from './block-backend.js'

/** How a {@link watchSize} goes about it. */
export interface SizeWatchOptions {
  /** How often it looks, in milliseconds. 0: never. */
  readonly everyMs: number
  readonly logger: Logger
  /** `blockCount` has changed. */
  readonly onChange: () => void
}

/**
 * Looks regularly whether a back end has another size, for a device that tells its guest. It keeps no process running.
 * Once it is closed `onChange` is not called any more. A size that cannot be found out is logged, once until it can be
 * again, and counts as unchanged.
 */
export function watchSize (backend: BlockBackend, options: SizeWatchOptions): Subscription {
  if (backend.checkSize === undefined || options.everyMs === 0) return { close: () => undefined }
  let isOpen = true
  let isLooking = false
  let hasFailed = false
  const look = async (): Promise<boolean | undefined> => {
    try {
      const hasChanged = await backend.checkSize?.()
      hasFailed = false
      return hasChanged
    } catch (error) {
      if (!hasFailed && isOpen) options.logger.warn({ err: error }, 'the size of a back end cannot be found out')
      hasFailed = true
      return false
    }
  }
  const timer = setInterval(() => {
    // Storage that takes longer than the interval is not asked twice.
    if (isLooking) return
    isLooking = true
    void look().then(hasChanged => {
      isLooking = false
      if (hasChanged === true && isOpen) options.onChange()
    })
  }, options.everyMs)
  timer.unref()
  return {
    close () {
      isOpen = false
      clearInterval(timer)
    }
  }
}
