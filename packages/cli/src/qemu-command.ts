import { resolve } from 'node:path'

/** The command line that attaches devices to a virtual machine. It runs as it is, and can be added to. */
export function qemuCommand (socketPaths: readonly string[]): string {
  return [
    'qemu-system-x86_64 -machine q35,memory-backend=mem -accel kvm -accel tcg -m 2G',
    '-object memory-backend-memfd,id=mem,size=2G,share=on',
    ...socketPaths.map(qemuDevice)
  ].join(' \\\n  ')
}

/** The part of it that attaches one. */
export function qemuDevice (socketPath: string): string {
  const device = JSON.stringify({ driver: 'vfio-user-pci', socket: { type: 'unix', path: resolve(socketPath) } })
  return `-device ${quote(device)}`
}

function quote (word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`
}
