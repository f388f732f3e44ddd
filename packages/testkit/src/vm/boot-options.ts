import type { ArchiveFile } from './cpio.js'

/** How instructions of the guest are carried out: in hardware, or emulated. */
export type Accelerator = 'kvm' | 'tcg'

/** Boots the small guest that lives in memory: busybox, nvme-cli, fio, lspci and setpci, mkfs.ext4. */
export interface InitramfsBoot {
  readonly kind: 'initramfs'
  /** A shell script that runs instead of the agent; the machine is powered off after it. */
  readonly script?: string
  /** Files that are there when the guest starts. */
  readonly files?: readonly ArchiveFile[]
  /** Added to the kernel's command line. */
  readonly kernelArguments?: string
}

/** Boots whatever disk the firmware finds. */
export interface FirmwareBoot {
  readonly kind: 'firmware'
  readonly firmware: 'seabios' | 'ovmf'
}

/** What the virtual machine is made of. */
export interface BootOptions {
  /** The small guest, unless told. */
  readonly boot?: InitramfsBoot | FirmwareBoot
  /** 512 unless told. */
  readonly memoryMiB?: number
  /** 1 unless told. */
  readonly cpus?: number
  /** Whether a device in another process can map the guest's memory; it can, unless told. */
  readonly sharedMemory?: boolean
  /**
   * Sockets of vfio-user devices. The first is the PCI device `disk0` behind the root port `port0`, and so on.
   */
  readonly vfioUserSockets?: readonly string[]
  /** Further arguments for QEMU. */
  readonly qemuArguments?: readonly string[]
  /** Instead of what the machine was found to be able to do. */
  readonly accelerator?: Accelerator
  /** Gets the guest's console as it comes. */
  readonly onConsole?: (text: string) => void
}
