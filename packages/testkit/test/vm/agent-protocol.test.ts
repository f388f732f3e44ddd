import { describe, expect, it } from 'vitest'
import { AgentParser, formatRequest } from '../../src/vm/agent-protocol.js'

describe('formatRequest', () => {
  it('is one line, whatever the command', () => {
    expect(formatRequest(7, 'echo "a\nb"')).toBe(`7 ${Buffer.from('echo "a\nb"').toString('base64')}\n`)
  })

  it("refuses what the guest's terminal would drop", () => {
    expect(() => formatRequest(1, 'x'.repeat(40_000))).toThrow(RangeError)
  })
})

describe('AgentParser', () => {
  const answer = '@@pcikit ready\n@@pcikit begin 4\nline one\nline two\n\n@@pcikit end 4 2\n'
  const messages = [{ kind: 'ready' }, { kind: 'result', id: 4, output: 'line one\nline two\n', status: 2 }]

  it('takes apart what comes at once', () => {
    expect(new AgentParser().feed(answer)).toEqual(messages)
  })

  it('takes apart what comes byte by byte', () => {
    const parser = new AgentParser()
    expect([...answer].flatMap(character => parser.feed(character))).toEqual(messages)
    expect(parser.rest).toBe('')
  })

  it("keeps output that looks like another command's end", () => {
    const output = '@@pcikit end 3 0'
    expect(new AgentParser().feed(`@@pcikit begin 4\n${output}\n@@pcikit end 4 0\n`))
      .toEqual([{ kind: 'result', id: 4, output, status: 0 }])
  })

  it('takes no output for no output', () => {
    expect(new AgentParser().feed('@@pcikit begin 1\n\n@@pcikit end 1 0\n'))
      .toEqual([{ kind: 'result', id: 1, output: '', status: 0 }])
  })

  it('skips what a firmware writes before the agent runs', () => {
    expect(new AgentParser().feed('\u001b[2Jnoise\n@@pcikit ready\n')).toEqual([{ kind: 'ready' }])
  })
})
