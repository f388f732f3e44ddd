import { qemuCommand } from '@pcikit/cli'
import { describe, expect, it } from 'vitest'

describe('qemuCommand', () => {
  it('attaches the socket by its absolute path, with memory that the device can share', () => {
    const command = qemuCommand(['/run/my disk.sock'])
    expect(command).toContain(
      `-device '{"driver":"vfio-user-pci","socket":{"type":"unix","path":"/run/my disk.sock"}}'`
    )
    expect(command).toContain('share=on')
  })

  it('attaches several to one machine', () => {
    expect(qemuCommand(['/a.sock', '/b.sock']).match(/-device .*"path":"\/[ab]\.sock"/g)).toHaveLength(2)
  })

  it('survives a quote in the path', () => {
    expect(qemuCommand(["/it's.sock"])).toContain(String.raw`/it'\''s.sock`)
  })
})
