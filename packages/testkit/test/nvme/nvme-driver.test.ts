import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { GuestMemory } from '../../src/guest/guest-memory.js'
import { NvmeDriver } from '../../src/nvme/nvme-driver.js'
import { NvmeStatusCode, statusCode } from '../../src/nvme/status.js'
import type { Fetched } from './scripted-controller.js'
import { ScriptedController } from './scripted-controller.js'

let memory: GuestMemory
let controller: ScriptedController
let driver: NvmeDriver

beforeEach(() => {
  memory = new GuestMemory()
  memory.add({ iova: 0x10_0000, byteLength: 1024 * 1024 })
  controller = new ScriptedController(memory)
  driver = new NvmeDriver({ access: controller, memory, commandTimeoutMs: 0 })
})

afterEach(() => {
  driver.abandon('The test is over.')
  memory.close()
})

describe('NvmeDriver', () => {
  it('sets the admin queues up before it enables the controller', async () => {
    await driver.enable({ adminDepth: 16 })
    expect(controller.writes).toEqual(['24=f000f', '28=100000', '2c=0', '30=101000', '34=0', '14=460001'])
  })

  it('writes 64-bit registers as a whole when told to', async () => {
    driver = new NvmeDriver({ access: controller, memory, registerBytes: 8 })
    await driver.enable({ adminDepth: 16 })
    expect(controller.writes).toEqual(['24=f000f', '28=100000', '30=101000', '14=460001'])
  })

  it('does not wait for a controller that reports a fatal status', async () => {
    const enabled = driver.enable()
    controller.writeRegion = (_region, offset) => {
      if (offset === 0x14) controller.setStatus(2)
      return Promise.resolve()
    }
    await expect(enabled).rejects.toMatchObject({ name: 'ControllerFatalError' })
  })

  it('follows the phase tag through many laps of the queue', async () => {
    await driver.enable({ adminDepth: 4 })
    for (let command = 0; command < 50; command++) await driver.admin.submit({ opcode: 6 })
    expect(driver.anomalies).toEqual([])
  })

  it('keeps no more commands under way than the queue has room for', async () => {
    const fetched: Fetched[] = []
    controller.onCommand = command => void fetched.push(command)
    await driver.enable({ adminDepth: 4 })
    const submitted = Array.from({ length: 8 }, () => driver.admin.submit({ opcode: 6 }))
    expect(fetched).toHaveLength(3)
    controller.onCommand = command => controller.complete(command, 0)
    for (const command of fetched) controller.complete(command, 0)
    await Promise.all(submitted)
    expect(driver.pendingCount).toBe(0)
  })

  it('matches completions out of order', async () => {
    const fetched: Fetched[] = []
    controller.onCommand = command => void fetched.push(command)
    await driver.enable()
    const first = driver.admin.submit({ opcode: 6 })
    const second = driver.admin.submit({ opcode: 10 })
    controller.complete(fetched[1]!, 0, 22)
    controller.complete(fetched[0]!, 0, 11)
    expect([(await first).dw0, (await second).dw0]).toEqual([11, 22])
  })

  it('decodes the status of a completion', async () => {
    controller.onCommand = command => controller.complete(command, 0x4101)
    await driver.enable()
    const completion = await driver.admin.submit({ opcode: 5 })
    expect(completion.status).toEqual({ sct: 1, sc: 1, dnr: true, more: false })
    expect(statusCode(completion)).toBe(NvmeStatusCode.INVALID_QUEUE_ID)
  })

  it('throws for a status other than success where it returns data', async () => {
    controller.onCommand = command => controller.complete(command, 0x0002)
    await driver.enable()
    await expect(driver.admin.identifyController()).rejects.toMatchObject({
      name: 'NvmeCommandError',
      message: 'Identify 1 of 0 completed with status 0h/02h.'
    })
  })

  it('takes note of a completion of nothing', async () => {
    controller.onCommand = command => {
      controller.complete({ sqid: 0, cid: 999 }, 0)
      controller.complete(command, 0)
    }
    await driver.enable()
    await driver.admin.submit({ opcode: 6 })
    expect(driver.anomalies).toEqual(['A completion of command 999 of queue 0, which is not under way.'])
  })

  it('rejects what is under way when the controller is disabled', async () => {
    controller.onCommand = () => undefined
    await driver.enable()
    const submitted = driver.admin.submit({ opcode: 12 })
    const disabled = driver.disable()
    await expect(submitted).rejects.toMatchObject({ name: 'CommandAbandonedError' })
    await disabled
  })

  it('rejects a command that takes too long', async () => {
    controller.onCommand = () => undefined
    await driver.enable()
    const submitted = driver.admin.submit({ opcode: 6 }, { timeoutMs: 1 })
    await expect(submitted).rejects.toThrow(/did not complete/)
  })

  it('decodes the controller that it identifies', async () => {
    controller.onCommand = ({ sqid, cid, prp1 }) => {
      const bytes = new Uint8Array(4096)
      bytes.set(new TextEncoder().encode('SERIAL              '), 4)
      bytes.set([0x34, 0x12], 0)
      bytes.set([9, 0, 0, 0], 516)
      memory.store(prp1, bytes)
      controller.complete({ sqid, cid }, 0)
    }
    await driver.enable()
    expect(await driver.admin.identifyController()).toMatchObject({ vid: 0x1234, sn: 'SERIAL', nn: 9 })
  })

  it('decodes the block size of a namespace from its format in use', async () => {
    controller.onCommand = ({ sqid, cid, prp1 }) => {
      const bytes = new Uint8Array(4096)
      bytes.set([1], 26)
      bytes.set([0, 0, 9, 0, 0, 0, 12, 0], 128)
      memory.store(prp1, bytes)
      controller.complete({ sqid, cid }, 0)
    }
    await driver.enable()
    expect((await driver.admin.identifyNamespace(1)).blockBytes).toBe(4096)
  })
})
