import { describe, expect, it } from 'vitest'
import { qemuArguments } from '../../src/vm/qemu-arguments.js'

const files = {
  qmpSocket: '/run/qmp',
  agentSocket: '/run/agent',
  consoleSocket: '/run/console',
  kernel: '/vm/vmlinuz',
  initramfs: '/vm/initramfs',
  ovmfCode: '/vm/code.fd',
  ovmfVariables: '/run/variables.fd'
}
const qemu = { version: '11.1.3', accelerator: 'tcg' } as const

describe('qemuArguments', () => {
  it('puts each device behind a port of its own, with memory that it can map', () => {
    const args = qemuArguments({ vfioUserSockets: ['/a', '/b,c'] }, files, qemu)
    expect(args).toContain('memory-backend-memfd,share=on,id=memory,size=512M')
    expect(args.filter(arg => arg.startsWith('pcie-root-port'))).toHaveLength(2)
    expect(args.filter(arg => arg.startsWith('{')).map(arg => JSON.parse(arg) as unknown)).toEqual([
      { driver: 'vfio-user-pci', id: 'disk0', bus: 'port0', socket: { type: 'unix', path: '/a' } },
      { driver: 'vfio-user-pci', id: 'disk1', bus: 'port1', socket: { type: 'unix', path: '/b,c' } }
    ])
  })

  it('shares no memory when told so', () => {
    const args = qemuArguments({ sharedMemory: false, memoryMiB: 1024 }, files, qemu)
    expect(args).toContain('memory-backend-ram,id=memory,size=1024M')
  })

  it('boots the kernel, or firmware alone', () => {
    const firmware = (name: 'seabios' | 'ovmf'): string[] =>
      qemuArguments({ boot: { kind: 'firmware', firmware: name } }, files, qemu)
    expect(qemuArguments({}, files, qemu)).toContain('/vm/vmlinuz')
    expect(firmware('seabios')).not.toContain('/vm/vmlinuz')
    expect(firmware('seabios').join(' ')).not.toContain('pflash')
    expect(firmware('ovmf').join(' ')).toMatch(/readonly=on,file=\/vm\/code\.fd .*file=\/run\/variables\.fd/)
  })

  it('emulates or not as found, unless told otherwise', () => {
    expect(qemuArguments({}, files, qemu)).toContain('tcg,thread=multi')
    expect(qemuArguments({}, files, { ...qemu, accelerator: 'kvm' })).toContain('kvm')
    expect(qemuArguments({ accelerator: 'tcg' }, files, { ...qemu, accelerator: 'kvm' })).toContain('tcg,thread=multi')
  })

  it('asks an older QEMU for nothing it does not know', () => {
    expect(qemuArguments({}, files, qemu)).toContain('exit-with-parent=on')
    expect(qemuArguments({}, files, { ...qemu, version: '10.1.0' })).not.toContain('exit-with-parent=on')
  })
})
