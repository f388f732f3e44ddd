// Sets up QEMU and the guests of the tests in test/vm: node scripts/setup-vm.mjs
import { setUpVm } from '../packages/testkit/src/vm/setup/set-up.mjs'

try {
  const { qemu, guest } = await setUpVm({
    log: message => {
      console.error(message)
    }
  })
  console.error(`QEMU ${qemu.version} and the guests are ready.`)
  console.log(JSON.stringify({ qemu, guest }, undefined, 2))
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
