import { createRequire } from 'node:module'
import { createToken } from '@pcikit/core'
import type * as tsyringe from 'tsyringe'
import { inject, injectable } from 'tsyringe'
import { describe, expect, it } from 'vitest'
import { Scope } from '../../src/host/scope.js'

const COLOUR = createToken<string>('@pcikit/core/test/colour')
const MISSING = createToken<string>('@pcikit/core/test/missing')

@injectable()
class Painter {
  readonly colour: string
  constructor (@inject(COLOUR) colour: string) {
    this.colour = colour
  }
}

@injectable()
class Needy {
  readonly value: string
  constructor (@inject(MISSING) value: string) {
    this.value = value
  }
}

describe('Scope', () => {
  it('builds a service with what the nearest scope registered', () => {
    const host = Scope.root('host').setValue(COLOUR, 'blue')
    const device = host.child('device').setValue(COLOUR, 'red')
    expect(host.build('a painter', { useClass: Painter }).colour).toBe('blue')
    expect(device.build('a painter', { useClass: Painter }).colour).toBe('red')
  })

  it('builds a service that another copy of tsyringe marked', () => {
    const require = createRequire(import.meta.url)
    for (const file of Object.keys(require.cache)) {
      if (file.includes('/tsyringe/')) Reflect.deleteProperty(require.cache, file)
    }
    const other = require('tsyringe') as typeof tsyringe
    expect(other.injectable).not.toBe(injectable)
    class Stranger {
      readonly colour: string
      constructor (colour: string) {
        this.colour = colour
      }
    }
    other.inject(COLOUR)(Stranger, undefined, 0)
    other.injectable<Stranger>()(Stranger)
    const scope = Scope.root('host').setValue(COLOUR, 'green')
    expect(scope.build('a stranger', { useClass: Stranger }).colour).toBe('green')
  })

  it('keeps what is registered in one root out of the other', () => {
    Scope.root('one').setValue(COLOUR, 'blue')
    expect(Scope.root('other').has(COLOUR)).toBe(false)
  })

  it('names the service that nobody provides', () => {
    const scope = Scope.root('host')
    expect(() => scope.build('needy', { useClass: Needy })).toThrowError(
      expect.objectContaining({ code: 'PCIKIT_SERVICE_NOT_FOUND', message: expect.stringContaining('test/missing') })
    )
    expect(() => scope.resolve(MISSING)).toThrowError(expect.objectContaining({ code: 'PCIKIT_SERVICE_NOT_FOUND' }))
  })

  it('says that a class is not injectable', () => {
    class Plain {
      readonly needs: string
      constructor (needs: string) {
        this.needs = needs
      }
    }
    expect(() => Scope.root('host').build('plain', { useClass: Plain })).toThrowError(
      expect.objectContaining({ code: 'PCIKIT_PLUGIN_INVALID' })
    )
  })

  it('closes children before parents and the last-built first', async () => {
    const order: string[] = []
    const host = Scope.root('host')
    const device = host.child('device')
    host.onClose('host 1', () => void order.push('host 1'))
    host.onClose('host 2', () => void order.push('host 2'))
    device.onClose('device 1', () => void order.push('device 1'))
    device.onClose('device 2', () => void order.push('device 2'))
    await host.close()
    expect(order).toEqual(['device 2', 'device 1', 'host 2', 'host 1'])
  })

  it('stops what brings children before it closes them', async () => {
    const order: string[] = []
    const device = Scope.root('device')
    device.beforeClose('transport', () => void order.push('transport'))
    device.child('client').onClose('client', () => void order.push('client'))
    await device.close()
    expect(order).toEqual(['transport', 'client'])
  })

  it('closes everything and reports every failure', async () => {
    const order: string[] = []
    const scope = Scope.root('host')
    scope.onClose('last', () => void order.push('last'))
    scope.onClose('second', () => Promise.reject(new Error('second broke')))
    scope.onClose('first', () => {
      throw new Error('first broke')
    })
    const error = await scope.close().catch((failure: unknown) => failure) as Error
    expect(error).toMatchObject({ code: 'PCIKIT_CLOSE_FAILED' })
    const causes = (error.cause as AggregateError).errors as Error[]
    expect(causes.map(each => (each.cause as Error).message)).toEqual(['first broke', 'second broke'])
    expect(order).toEqual(['last'])
  })

  it('closes once, however often it is asked', async () => {
    let closed = 0
    const scope = Scope.root('host')
    scope.onClose('it', () => void closed++)
    await Promise.all([scope.close(), scope.close()])
    await scope.close()
    expect(closed).toBe(1)
  })

  it('refuses to be used once closed', async () => {
    const scope = Scope.root('host')
    await scope.close()
    expect(() => scope.child('late')).toThrowError(expect.objectContaining({ code: 'PCIKIT_HOST_CLOSED' }))
  })
})
