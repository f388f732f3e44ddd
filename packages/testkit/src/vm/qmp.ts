import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'

/** An event that QEMU reports. */
export interface QmpEvent {
  /** Such as `RESET`, `SHUTDOWN` or `DEVICE_DELETED`. */
  readonly event: string
  readonly data: Readonly<Record<string, unknown>>
}

interface QmpMessage {
  readonly id?: number
  readonly return?: unknown
  readonly error?: { readonly class: string, readonly desc: string }
  readonly event?: string
  readonly data?: Record<string, unknown>
}

interface Pending {
  readonly command: string
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/** QEMU's control connection (QMP). */
export class QmpClient {
  readonly #socket: Socket
  readonly #events = new EventEmitter<{ event: [QmpEvent], close: [] }>()
  readonly #pending = new Map<number, Pending>()
  #buffer = ''
  #nextId = 1
  #closed = false

  private constructor (socket: Socket) {
    this.#socket = socket
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      this.#receive(text)
    })
    socket.on('error', () => {
      socket.destroy()
    })
    socket.on('close', () => {
      this.#close()
    })
  }

  /** Takes a new connection from QEMU into use. */
  static async connect (socket: Socket): Promise<QmpClient> {
    const client = new QmpClient(socket)
    await client.execute('qmp_capabilities')
    return client
  }

  /**
   * Runs a command and returns what QEMU answers.
   *
   * @throws With QEMU's description, when it refuses; also when QEMU ends before it answers.
   */
  async execute (command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.#closed) throw new Error(`QEMU is gone and cannot run ${command}.`)
    const id = this.#nextId++
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { command, resolve, reject })
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`)
    })
  }

  /** Calls back for each event from now on; returns how to stop that. */
  onEvent (listener: (event: QmpEvent) => void): () => void {
    this.#events.on('event', listener)
    return () => {
      this.#events.off('event', listener)
    }
  }

  /**
   * Waits for an event that comes after this call.
   *
   * @throws When it does not come within `timeoutMs` milliseconds, or QEMU ends.
   */
  async waitForEvent (
    name: string,
    timeoutMs: number,
    accept: (event: QmpEvent) => boolean = () => true
  ): Promise<QmpEvent> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer)
        stop()
        this.#events.off('close', onClose)
      }
      const onClose = (): void => {
        finish()
        reject(new Error(`QEMU ended while something waited for its event ${name}.`))
      }
      const stop = this.onEvent(event => {
        if (event.event !== name || !accept(event)) return
        finish()
        resolve(event)
      })
      const timer = setTimeout(() => {
        finish()
        reject(new Error(`QEMU did not report ${name} within ${timeoutMs} ms.`))
      }, timeoutMs)
      this.#events.on('close', onClose)
    })
  }

  #receive (text: string): void {
    const lines = (this.#buffer + text).split('\n')
    this.#buffer = lines.pop() ?? ''
    for (const line of lines) if (line.trim() !== '') this.#dispatch(JSON.parse(line) as QmpMessage)
  }

  #dispatch (message: QmpMessage): void {
    if (message.event !== undefined) {
      this.#events.emit('event', { event: message.event, data: message.data ?? {} })
      return
    }
    const pending = message.id === undefined ? undefined : this.#pending.get(message.id)
    if (message.id === undefined || pending === undefined) return
    this.#pending.delete(message.id)
    if (message.error === undefined) pending.resolve(message.return)
    else pending.reject(new Error(`QEMU refused ${pending.command}: ${message.error.desc}`))
  }

  #close (): void {
    this.#closed = true
    for (const { command, reject } of this.#pending.values()) {
      reject(new Error(`QEMU ended before it answered ${command}.`))
    }
    this.#pending.clear()
    this.#events.emit('close')
  }
}
