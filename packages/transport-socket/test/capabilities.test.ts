import { describe, expect, it } from 'vitest'
import { agree, answerCapabilities, DEFAULT_CAPABILITIES, parseCapabilities } from '../src/capabilities.js'

const OWN = { descriptorsMax: 16, transferBytesMax: 1 << 20 }

const answer = (json: string, bytesMax = 4096): unknown => {
  const client = parseCapabilities(json)
  return JSON.parse(answerCapabilities(client, agree(client, OWN), OWN, bytesMax))
}

describe('parseCapabilities', () => {
  it('has the defaults of the protocol where nothing is stated', () => {
    expect(parseCapabilities('{}')).toEqual(DEFAULT_CAPABILITIES)
    expect(parseCapabilities('{"capabilities":{}}')).toEqual(DEFAULT_CAPABILITIES)
    expect(DEFAULT_CAPABILITIES).toMatchObject({ descriptorsMax: 1, transferBytesMax: 1048576, dmaMapsMax: 65535 })
  })

  it('is not fooled by names that every object has', () => {
    expect(answer('{"capabilities":{"__proto__":{"max_msg_fds":"x"},"constructor":1}}')).toEqual({})
  })

  it('throws for numbers that are too large to be exact', () => {
    expect(() => parseCapabilities('{"capabilities":{"max_data_xfer_size":1e300}}')).toThrow(/max_data_xfer_size/)
  })

  it('takes page sizes of up to 2^63', () => {
    expect(parseCapabilities('{"capabilities":{"pgsizes":9223372036854779904}}').pageSizes).toBe(2 ** 63 + 4096)
  })

  it('keeps only whole pages', () => {
    expect(parseCapabilities('{"capabilities":{"pgsizes":7168}}').pageSizes).toBe(4096)
  })
})

describe('answerCapabilities', () => {
  it('takes the smaller of both where sizes are', () => {
    expect(answer('{"capabilities":{"max_data_xfer_size":67108864,"max_dma_maps":100}}'))
      .toEqual({ capabilities: { max_data_xfer_size: 1048576, max_dma_maps: 100 } })
  })

  it('never offers what was not proposed', () => {
    expect(answer('{"capabilities":{"write_multiple":false}}')).toEqual({ capabilities: { write_multiple: false } })
  })

  it('never offers migration', () => {
    expect(answer('{"capabilities":{"migration":{"pgsize":4096}}}')).toEqual({})
  })

  it('leaves out what matters least first', () => {
    const json = '{"capabilities":{"pgsizes":4096,"max_msg_fds":16,"write_multiple":true}}'

    expect(answer(json, json.length)).toEqual({
      capabilities: { max_msg_fds: 16, write_multiple: true, pgsizes: 4096 }
    })
    expect(answer(json, json.length - 1)).toEqual({ capabilities: { max_msg_fds: 16, write_multiple: true } })
    expect(answer(json, 2)).toEqual({})
  })

  it('offers no twin socket to a client that takes no descriptors', () => {
    expect(answer('{"capabilities":{"max_msg_fds":0,"twin_socket":{"supported":true}}}'))
      .toEqual({ capabilities: { max_msg_fds: 16, twin_socket: { supported: false } } })
  })
})
