// npm run demo: boots a virtual machine in this terminal, with an NVMe disk that pcikit serves.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fail, root, say } from './run.mjs'
import { setUp } from './setup.mjs'

/** Ctrl-], as in telnet and virsh: everything else, Ctrl-C too, is the guest's. */
const leaveKey = '\x1d'

async function startDevice (socket) {
  const device = ['run', 'nvme', '--socket', socket, '--backend', 'memory:1GiB', '--log-level', 'warn']
  const child = spawn(process.execPath, [`${root}packages/cli/dist/pcikit.js`, ...device], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  // The command says how to attach the device once it accepts clients.
  const started = await Promise.race([
    once(child.stdout, 'data').then(() => true),
    once(child, 'exit').then(() => false)
  ])
  if (!started) fail('The device did not start. What it printed is above.')
  child.stdout.resume()
  return child
}

/** Connects this terminal with the guest's console until the machine is off. */
async function converse (guest) {
  const { stdin, stdout } = process
  stdin.setRawMode?.(true)
  stdin.on('data', data => {
    if (data.includes(leaveKey)) void guest.quit()
    else guest.send(data.toString())
  })
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => void guest.quit())
  if (stdout.isTTY) {
    const size = `stty -F /dev/ttyS0 rows ${stdout.rows} cols ${stdout.columns}`
    guest.ready().then(() => guest.run(size)).catch(() => undefined)
  }
  const { status, errors } = await guest.exited
  stdin.setRawMode?.(false)
  stdin.pause()
  if (status !== 0) fail(`QEMU ended with status ${status}. It said: ${errors}`)
}

await setUp()
const { bootGuest, ensureVm } = await import('../packages/testkit/dist/vm/index.js')
const vm = await ensureVm({ log: say }).catch(error => fail(error.message))
const folder = await mkdtemp(join(tmpdir(), 'pcikit-demo-'))
const socket = join(folder, 'nvme.sock')
const device = await startDevice(socket)
try {
  say(`booting a guest with ${vm.accelerator === 'kvm' ? 'KVM' : 'emulation, which takes about ten seconds'}`)
  say('"poweroff" in the guest, or Ctrl-] here, ends it')
  const onConsole = text => process.stdout.write(text)
  await converse(await bootGuest(vm, { vfioUserSockets: [socket], cpus: 2, memoryMiB: 1024, onConsole }))
} finally {
  const gone = once(device, 'exit')
  device.kill()
  await gone
  await rm(folder, { recursive: true, force: true })
}
