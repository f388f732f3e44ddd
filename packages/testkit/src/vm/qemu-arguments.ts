import type { Accelerator, BootOptions } from './boot-options.js'

/** Files and sockets that one run of QEMU uses. */
export interface RunFiles {
  readonly qmpSocket: string
  readonly agentSocket: string
  readonly consoleSocket: string
  readonly kernel: string
  readonly initramfs: string
  readonly ovmfCode: string
  readonly ovmfVariables: string
}

/** QEMU 11.0 and later end when the process that started them does. */
const exitWithParentSince = 11

/** An option with its value, or without one. */
type Argument = readonly [name: string, value?: string]

function acceleratorArguments (accelerator: Accelerator): Argument[] {
  if (accelerator === 'kvm') return [['-accel', 'kvm'], ['-cpu', 'host']]
  return [['-accel', 'tcg,thread=multi'], ['-cpu', 'max']]
}

function bootArguments ({ boot = { kind: 'initramfs' } }: BootOptions, files: RunFiles): Argument[] {
  if (boot.kind === 'initramfs') {
    const kernelArguments = `console=ttyS0 quiet mitigations=off ${boot.kernelArguments ?? ''}`.trim()
    return [['-kernel', files.kernel], ['-initrd', files.initramfs], ['-append', kernelArguments]]
  }
  if (boot.firmware === 'seabios') return []
  return [
    ['-drive', `if=pflash,unit=0,format=raw,readonly=on,file=${files.ovmfCode}`],
    ['-drive', `if=pflash,unit=1,format=raw,file=${files.ovmfVariables}`]
  ]
}

function deviceArguments (sockets: readonly string[]): Argument[] {
  return sockets.flatMap((path, index) => {
    const socket = { type: 'unix', path }
    const device = { driver: 'vfio-user-pci', id: `disk${index}`, bus: `port${index}`, socket }
    return [
      ['-device', `pcie-root-port,id=port${index},chassis=${index + 1}`],
      ['-device', JSON.stringify(device)]
    ] satisfies Argument[]
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
  const endsWithParent = Number(qemu.version.split('.')[0]) >= exitWithParentSince
  const all: Argument[] = [
    ['-nodefaults'],
    ['-no-user-config'],
    ['-display', 'none'],
    ['-nic', 'none'],
    ['-object', `${memory},id=memory,size=${memoryMiB}M`],
    ['-machine', 'q35,memory-backend=memory'],
    ['-smp', String(cpus)],
    ...acceleratorArguments(options.accelerator ?? qemu.accelerator),
    ['-chardev', `socket,id=console,path=${files.consoleSocket}`],
    ['-chardev', `socket,id=agent,path=${files.agentSocket}`],
    ['-chardev', `socket,id=qmp,path=${files.qmpSocket}`],
    ['-serial', 'chardev:console'],
    ['-serial', 'chardev:agent'],
    ['-mon', 'chardev=qmp,mode=control'],
    ...endsWithParent ? [['-run-with', 'exit-with-parent=on']] satisfies Argument[] : [],
    ...bootArguments(options, files),
    ...deviceArguments(vfioUserSockets)
  ]
  return [...all.flatMap(argument => argument.filter(word => word !== undefined)), ...options.qemuArguments ?? []]
}
