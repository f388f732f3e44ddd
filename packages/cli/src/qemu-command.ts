import { resolve } from 'node:path'

/** The command line that attaches a device to a virtual machine. It runs as it is, and can be added to. */
export function qemuCommand (socketPath: string): string {
  const device = JSON.stringify({ driver: 'vfio-user-pci', socket: { type: 'unix', path: resolve(socketPath) } })
  return [
    'qemu-system-x86_64 -machine q35,memory-backend=mem -accel kvm -accel tcg -m 2G',
    '-object memory-backend-memfd,id=mem,size=2G,share=on',
    `-device ${quote(device)}`
  ].join(' \\\n  ')
}

function quote (word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`
}
