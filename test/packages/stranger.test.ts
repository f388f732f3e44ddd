// What is published, as somebody gets it who never saw this repository. Dependencies of others come from the registry
// that npm is set up for; without a network there is nothing to test.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PciDriver, VfioUserClient } from '@pcikit/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packPackages } from '../../scripts/pack-packages.mjs'
import { startRegistry } from './registry.js'
import type { Registry } from './registry.js'
import { Stranger } from './stranger.js'

// By npm itself, which may have to go through a proxy.
const { status } = spawnSync('npm', ['view', 'zod', 'version', '--prefer-online', '--fetch-retries=0'])
const isOffline = status !== 0
const reason = isOffline ? ', skipped: npm reaches no registry, try "npm view zod"' : ''

const application = fileURLToPath(new URL('application', import.meta.url))
let tarballs: string
let registry: Registry
let stranger: Stranger

/** Where a tarball is that is in no registry. */
let find: (name: string) => string

async function installApplication (): Promise<void> {
  const folder = join(stranger.folder, 'application')
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{ "type": "module", "private": true }')
  cpSync(application, folder, { recursive: true })
  const ours = ['core', 'block', 'device-nvme', 'dma', 'transport-socket', 'testkit'].map(name => `@pcikit/${name}`)
  await stranger.run('application', 'npm', ['install', ...ours, find('pcikit-device-virtio-rng')])
}

async function installProject (): Promise<void> {
  const create = ['exec', '--yes', `--package=${find('create-pcikit-device')}`, '--', 'create-pcikit-device']
  await stranger.run('.', 'npm', [...create, 'my-device', '--scope', '@acme'])
  await stranger.run('my-device', 'npm', ['install'])
}

describe.skipIf(isOffline)(`what is published${reason}`, () => {
  beforeAll(async () => {
    tarballs = mkdtempSync(join(tmpdir(), 'pcikit-tarballs-'))
    const files = packPackages(tarballs, { others: ['examples/virtio-rng'] })
    registry = await startRegistry(files)
    stranger = new Stranger(registry.url)
    find = name => files.find(file => file.includes(`/${name}-`)) ?? `${name}: not packed`
    // Together, because npm does little but wait.
    await Promise.all([installApplication(), installProject()])
  }, 240_000)

  afterAll(() => {
    registry.close()
    stranger.leave()
    rmSync(tarballs, { recursive: true })
  })

  describe('an application', () => {
    it("composes NVMe with somebody else's device, and both answer", async () => {
      const serving = await stranger.serve('application', 'node', ['serve.mjs'], 'serving')
      const seen = JSON.parse(await stranger.run('application', 'node', ['drive.mjs'])) as Record<string, number[]>
      await serving.stop()

      expect(seen['block']).toEqual([0x5a])
      expect(seen['random']).toHaveLength(32)
      expect(new Set(seen['random']).size).toBeGreaterThan(1)
    })

    it('says how to build the addon where none fits', async () => {
      const native = join(stranger.folder, 'application/node_modules/@pcikit/native')
      renameSync(join(native, 'prebuilds'), join(native, 'elsewhere'))
      const refusal = stranger.run('application', 'node', ['serve.mjs'])
      await expect(refusal).rejects.toThrow(`"npx node-gyp rebuild" in ${join(native, 'src/addon')}`)
    })
  })

  describe('a project made by create-pcikit-device', () => {
    it('has no error of types, and passes its unit and compliance tests', async () => {
      await stranger.run('my-device', 'npm', ['run', 'check'])
      const output = await stranger.run('my-device', 'npm', ['test'], { NO_COLOR: '1' })
      expect(output).toMatch(/Test Files {2}3 passed/)
    })

    it('serves its device with npm start', async () => {
      const serving = await stranger.serve('my-device', 'npm', ['start'], 'Ctrl-C')
      const client = await VfioUserClient.connect(join(stranger.folder, 'my-device/my-device.sock'))
      const pci = new PciDriver(client)
      const ids = [await pci.vendorId(), await pci.deviceId()]
      const id = await client.readRegion(0, 0, 4)
      client.close()
      await serving.stop()

      expect(ids).toEqual([0x1234, 0x0001])
      expect(new TextDecoder().decode(id)).toBe('PCIK')
      expect(serving.output()).toContain('vfio-user-pci')
    })

    it('skips its guest test where no guest can be had, and says why in its name', async () => {
      const vm = ['run', 'test:vm', '--', '--reporter=verbose']
      const output = await stranger.run('my-device', 'npm', vm, { NO_COLOR: '1', PCIKIT_VM_CACHE: '/dev/null/vm' })
      expect(output).toMatch(/↓ .*in a Linux guest, skipped: .*\/dev\/null/)
    })
  })
})
