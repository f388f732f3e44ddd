import type { AsyncEvents } from './async-events.js'
import type { Features } from './features.js'
import { AsyncEventType, NoticeEvent } from './layouts/async-event.js'
import { AsyncEventConfiguration, Feature } from './layouts/features.js'
import { LogPage } from './layouts/log-pages.js'

/** The log page has room for 1,024 identifiers. A controller has no more namespaces. */
const LOG_PAGE_BYTES = 4096

/**
 * The namespaces whose Identify data is no longer what the host read. It is told, if it wants to be.
 * [NVMe-Base] "Changed Attached Namespace List".
 */
export class ChangedNamespaces {
  readonly #events: AsyncEvents
  readonly #features: Features
  readonly #nsids = new Set<number>()

  constructor (events: AsyncEvents, features: Features) {
    this.#events = events
    this.#features = features
  }

  /** [NVMe-Base] "Asynchronous Event Information – Notice": Attached Namespace Attribute Changed. */
  add (nsid: number): void {
    this.#nsids.add(nsid)
    const wanted = this.#features.get(Feature.ASYNC_EVENT_CONFIGURATION)
    if (!AsyncEventConfiguration.NAMESPACE_ATTRIBUTE.isSet(wanted)) return
    this.#events.raise(
      AsyncEventType.NOTICE,
      NoticeEvent.ATTACHED_NAMESPACE_ATTRIBUTE_CHANGED,
      LogPage.CHANGED_NAMESPACES
    )
  }

  /** The host has read the page, or is about to read everything. */
  clear (): void {
    this.#nsids.clear()
  }

  /** Their identifiers. */
  save (): readonly number[] {
    return [...this.#nsids]
  }

  /** The host was told already. */
  restore (nsids: readonly number[]): void {
    for (const nsid of nsids) this.#nsids.add(nsid)
  }

  /** In the order of the identifiers. The rest is zero. */
  toLogPage (): Uint8Array {
    const page = new DataView(new ArrayBuffer(LOG_PAGE_BYTES))
    const sorted = [...this.#nsids].sort((one, other) => one - other)
    sorted.forEach((nsid, index) => page.setUint32(index * 4, nsid, true))
    return new Uint8Array(page.buffer)
  }
}
