import { closeDescriptor, readEventFd, watchDescriptor } from '@pcikit/native'
import type { DescriptorWatch } from '@pcikit/native'

/** What a client's eventfd does to a vector. */
export type WatchAction = 'mask' | 'unmask'

interface Watched {
  readonly descriptor: number
  readonly watch: DescriptorWatch
}

/**
 * Eventfds with which a client masks and unmasks vectors without a message. KVM signals one at the end of a
 * level-triggered interrupt.
 *
 * Deviation: by the text of [vfio-user] "VFIO_USER_DEVICE_SET_IRQS" these eventfds are signalled by the server when the
 * guest masks a vector. VFIO, whose interface this is, and QEMU mean the opposite, and so do we.
 * See test/conformance/vfio-user/set-irqs.test.ts.
 */
export class IrqWatches {
  readonly #watched = new Map<string, Watched>()

  /** Watches a descriptor, which is owned from now on, in place of the one that was there. */
  set (action: WatchAction, index: number, vector: number, descriptor: number, onSignal: () => void): void {
    this.remove(action, index, vector)
    const watch = watchDescriptor(descriptor, () => {
      if (readEventFd(descriptor) > 0) onSignal()
    })
    watch.unref()
    this.#watched.set(keyOf(action, index, vector), { descriptor, watch })
  }

  /** Lets go of one descriptor, if there is one. */
  remove (action: WatchAction, index: number, vector: number): void {
    const key = keyOf(action, index, vector)
    const watched = this.#watched.get(key)
    if (watched === undefined) return
    this.#watched.delete(key)
    release(watched)
  }

  /** Lets go of every descriptor. */
  close (): void {
    for (const watched of this.#watched.values()) release(watched)
    this.#watched.clear()
  }
}

function release (watched: Watched): void {
  watched.watch.close()
  closeDescriptor(watched.descriptor)
}

function keyOf (action: WatchAction, index: number, vector: number): string {
  return `${action} ${index} ${vector}`
}
