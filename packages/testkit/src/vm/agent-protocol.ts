/** What the guest's agent says, one of these for each. */
export type AgentMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'result', readonly id: number, readonly output: string, readonly status: number }

/** The longest request line. A guest's terminal buffers about this much while its shell is slow to read. */
const requestLengthMax = 48 * 1024

/**
 * The request line that has the agent run a command.
 *
 * @throws When the command is too long.
 */
export function formatRequest (id: number, command: string): string {
  const line = `${id} ${Buffer.from(command).toString('base64')}\n`
  if (line.length > requestLengthMax) {
    throw new RangeError(`A command of ${command.length} characters is too long for the guest's agent.`)
  }
  return line
}

/**
 * Takes apart what the agent writes: `@@pcikit ready` once it listens, and for each request `@@pcikit begin ID`, the
 * command's output, and `@@pcikit end ID STATUS`.
 */
export class AgentParser {
  #buffer = ''

  /** Takes more output and returns the messages that are complete. */
  feed (text: string): AgentMessage[] {
    this.#buffer += text
    const messages: AgentMessage[] = []
    for (;;) {
      const match = /^@@pcikit ready\n|^@@pcikit begin (\d+)\n([^]*?)\n@@pcikit end \1 (\d+)\n/m.exec(this.#buffer)
      if (match === null) return messages
      const [all, id, output = '', status] = match
      this.#buffer = this.#buffer.slice(match.index + all.length)
      if (id === undefined) messages.push({ kind: 'ready' })
      else messages.push({ kind: 'result', id: Number(id), output, status: Number(status) })
    }
  }

  /** What has come of a message that is not complete yet. */
  get rest (): string {
    return this.#buffer
  }
}
