import type { Accelerator, BootOptions } from './boot-options.js'

/** Files and sockets that one run of QEMU uses. */
export interface RunFiles {
  readonly qmpSocket: string
  readonly agentSocket: string
  /** A socket; the console is the terminal where it is left out. */
  readonly consoleSocket?: string
  readonly kernel: string
  readonly initramfs: string
  readonly ovmfCode: string
  readonly ovmfVariables: string
}

/** QEMU 11.0 and later end when the process that started them does. */
const exitWithParentSince = 11

function acceleratorArguments (accelerator: Accelerator): string[] {
  if (accelerator === 'kvm') return ['-accel', 'kvm', '-cpu', 'host']
  return ['-accel', 'tcg,thread=multi', '-cpu', 'max']
}

function bootArguments ({ boot = { kind: 'initramfs' } }: BootOptions, files: RunFiles): string[] {
  if (boot.kind === 'initramfs') {
    const kernelArguments = `console=ttyS0 quiet mitigations=off ${boot.kernelArguments ?? ''}`.trim()
    return ['-kernel', files.kernel, '-initrd', files.initramfs, '-append', kernelArguments]
  }
  if (boot.firmware === 'seabios') return []
  return [
    '-drive',
    `if=pflash,unit=0,format=raw,readonly=on,file=${files.ovmfCode}`,
    '-drive',
    `if=pflash,unit=1,format=raw,file=${files.ovmfVariables}`
  ]
}

function deviceArguments (sockets: readonly string[]): string[] {
  return sockets.flatMap((path, index) => {
    const device = {
      driver: 'vfio-user-pci',
      id: `disk${index}`,
      bus: `port${index}`,
      socket: { type: 'unix', path }
    }
    return ['-device', `pcie-root-port,id=port${index},chassis=${index + 1}`, '-device', JSON.stringify(device)]
  })
}

/** The whole command line after QEMU's own first arguments. */
export function qemuArguments (
  options: BootOptions,
  files: RunFiles,
  qemu: { readonly version: string, readonly accelerator: Accelerator }
): string[] {
  const { memoryMiB = 512, cpus = 1, sharedMemory = true, vfioUserSockets = [] } = options
  const memory = sharedMemory ? 'memory-backend-memfd,share=on' : 'memory-backend-ram'
  const socketChardev = (id: string, path: string): string[] => ['-chardev', `socket,id=${id},path=${path}`]
  const console = files.consoleSocket === undefined ?
    ['-chardev', 'stdio,id=console,signal=off'] :
    socketChardev('console', files.consoleSocket)
  return [
    '-nodefaults',
    '-no-user-config',
    '-display',
    'none',
    '-nic',
    'none',
    '-object',
    `${memory},id=memory,size=${memoryMiB}M`,
    '-machine',
    'q35,memory-backend=memory',
    '-smp',
    String(cpus),
    ...acceleratorArguments(options.accelerator ?? qemu.accelerator),
    ...console,
    ...socketChardev('agent', files.agentSocket),
    ...socketChardev('qmp', files.qmpSocket),
    '-serial',
    'chardev:console',
    '-serial',
    'chardev:agent',
    '-mon',
    'chardev=qmp,mode=control',
    ...Number(qemu.version.split('.')[0]) >= exitWithParentSince ? ['-run-with', 'exit-with-parent=on'] : [],
    ...bootArguments(options, files),
    ...deviceArguments(vfioUserSockets),
    ...options.qemuArguments ?? []
  ]
}
