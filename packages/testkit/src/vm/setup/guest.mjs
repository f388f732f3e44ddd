// Makes what the virtual machines boot: a kernel, an initramfs and a disk image, all from Debian packages.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runCommand } from './command.mjs'
import { makeDebianRoot } from './debian-root.mjs'

/**
 * What a virtual machine boots.
 *
 * @typedef {object} GuestFiles
 * @property {string} kernel A bzImage.
 * @property {string} initramfs An uncompressed cpio archive, to which more may be appended.
 * @property {string} disk A raw disk image that boots Debian through SeaBIOS and UEFI. A template: copy it or use a
 *   snapshot.
 */

/** The scripts that run in the guest, or make its files. They are beside the sources, also in what is published. */
export const guestScripts = fileURLToPath(new URL('../../../src/vm/guest', import.meta.url))

const packages = [
  'linux-image-amd64',
  'login',
  'kmod',
  'busybox-static',
  'cpio',
  'xz-utils',
  'nvme-cli',
  'fio',
  'pciutils',
  'util-linux',
  'e2fsprogs',
  'dosfstools',
  'mtools',
  'fdisk',
  'grub-common',
  'grub-pc-bin',
  'grub-efi-amd64-bin'
]

/** Drivers of hardware that no test machine has. They would only make everything larger. */
const unusedDrivers = [
  'sound',
  'drivers/accel',
  'drivers/comedi',
  'drivers/gpu',
  'drivers/hid',
  'drivers/hwmon',
  'drivers/iio',
  'drivers/infiniband',
  'drivers/media',
  'drivers/mfd',
  'drivers/mmc',
  'drivers/mtd',
  'drivers/net/ethernet',
  'drivers/net/wireless',
  'drivers/platform',
  'drivers/staging',
  'drivers/usb'
].map(folder => `/usr/lib/modules/*/kernel/${folder}/*`)

/** What the initramfs guest has besides busybox. */
const guestModules =
  'nvme ext4 crc32c_generic crc32c_intel virtio_blk virtio_iommu virtio_rng gpio-pci-idio-16 uio_pci_generic'
const guestPrograms = 'bash nvme fio lspci setpci mke2fs e2fsck resize2fs blkdiscard lsblk'

/** The scripts that run in the guest, or make its files. They lie beside the sources, in a package too. */
const buildScript = `
set -eu
root=$1 scripts=$2 output=$3
mount -t tmpfs tmpfs "$root/mnt"
mkdir "$root/mnt/scripts" "$root/mnt/output" "$root/mnt/root"
cp "$scripts"/* "$root/mnt/scripts"
chmod +x "$root"/mnt/scripts/*
mount --bind "$output" "$root/mnt/output"
mount --bind "$root" "$root/mnt/root"
mount -t proc proc "$root/proc"
run () { env -i TMPDIR=/mnt/output PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C chroot "$root" "$@"; }
run /mnt/scripts/make-initramfs /mnt/output/initramfs.cpio init "$4" "$5"
run /mnt/scripts/configure-disk
run /mnt/scripts/make-disk /mnt/root /mnt/output/disk.img
cp -L "$root/vmlinuz" "$output/vmlinuz"
`

/** What decides how the Debian root comes out. */
export const rootRecipe = { packages, unusedDrivers }

/** What decides, with the root and the scripts, how the guest's files come out. */
export const guestRecipe = { guestModules, guestPrograms, buildScript }

/**
 * Makes the Debian root that the guest's files are made in and of.
 *
 * @param {string} folder Must not exist.
 * @returns {Promise<void>}
 */
export async function makeGuestRoot (folder) {
  await makeDebianRoot({ folder, packages, variant: 'minbase', preferBackports: false, excludes: unusedDrivers })
}

/**
 * Makes the guest's files.
 *
 * @param {string} root The Debian root. The scripts change it, the same way every time.
 * @param {string} folder Exists and is empty.
 * @returns {Promise<void>}
 */
export async function makeGuest (root, folder) {
  const build = ['--mount', 'sh', '-c', buildScript, 'build', root, guestScripts, folder, guestModules, guestPrograms]
  await runCommand('unshare', build)
}

/**
 * @param {string} folder A folder that `makeGuest` filled.
 * @returns {GuestFiles}
 */
export function guestFiles (folder) {
  return {
    kernel: join(folder, 'vmlinuz'),
    initramfs: join(folder, 'initramfs.cpio'),
    disk: join(folder, 'disk.img')
  }
}
