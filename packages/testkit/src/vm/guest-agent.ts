import type { Socket } from 'node:net'
import { AgentParser, formatRequest } from './agent-protocol.js'

/** What a command in the guest did. */
export interface CommandResult {
  /** Standard output and standard error, as they came. */
  readonly output: string
  readonly status: number
}

interface Pending {
  readonly resolve: (result: CommandResult) => void
  readonly reject: (error: Error) => void
}

/** The harness' end of the connection to the agent that runs in a guest. */
export class GuestAgent {
  readonly #socket: Socket
  readonly #pending = new Map<number, Pending>()
  #parser = new AgentParser()
  #nextId = 1
  #ready = false
  #onReady: (() => void) | undefined
  #ended: Error | undefined
  #onEnd: ((reason: Error) => void) | undefined

  constructor (socket: Socket) {
    this.#socket = socket
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      this.#receive(text)
    })
    socket.on('error', () => {
      socket.destroy()
    })
  }

  /**
   * Waits until the agent listens, which it does again after every boot.
   *
   * @throws When it does not within `timeoutMs` milliseconds, or the machine ends.
   */
  async ready (timeoutMs: number): Promise<void> {
    if (this.#ended !== undefined) throw this.#ended
    if (this.#ready) return
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        finish(new Error(`The guest was not up within ${timeoutMs} ms.`))
      }, timeoutMs)
      const finish = (error?: Error): void => {
        clearTimeout(timer)
        this.#onReady = undefined
        this.#onEnd = undefined
        if (error === undefined) resolve()
        else reject(error)
      }
      this.#onReady = finish
      this.#onEnd = finish
    })
  }

  /** Has the guest's shell run a command. Settles when it has ended; rejects when the guest is reset or ends first. */
  async run (command: string, timeoutMs: number): Promise<CommandResult> {
    if (this.#ended !== undefined) throw this.#ended
    const id = this.#nextId++
    const request = formatRequest(id, command)
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<CommandResult>((resolve, reject) => {
        this.#pending.set(id, { resolve, reject })
        timer = setTimeout(() => {
          reject(new Error(`The command did not end within ${timeoutMs} ms. So far it wrote:\n${this.#parser.rest}`))
        }, timeoutMs)
        this.#socket.write(request)
      })
    } finally {
      clearTimeout(timer)
      this.#pending.delete(id)
    }
  }

  /** Has the guest's shell run a command that ends the guest, so that no answer is expected. */
  send (command: string): void {
    this.#socket.write(formatRequest(this.#nextId++, command))
  }

  /** Says that the machine starts over: nothing that was asked of the guest will be answered. */
  restart (): void {
    this.#ready = false
    this.#parser = new AgentParser()
    this.#abandon(new Error('The guest was reset before the command ended.'))
  }

  /** Says that the machine is gone. */
  end (reason: Error): void {
    this.#ended = reason
    this.#ready = false
    this.#abandon(reason)
    this.#onEnd?.(reason)
  }

  #abandon (reason: Error): void {
    for (const { reject } of this.#pending.values()) reject(reason)
    this.#pending.clear()
  }

  #receive (text: string): void {
    for (const message of this.#parser.feed(text)) {
      if (message.kind === 'ready') {
        this.#ready = true
        this.#onReady?.()
      } else {
        this.#pending.get(message.id)?.resolve({ output: message.output, status: message.status })
      }
    }
  }
}
