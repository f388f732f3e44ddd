import { describeDmaManager } from '../../src/compliance/dma-manager.js'
import { FakeDmaManager } from '../../src/fakes/fake-dma-manager.js'

describeDmaManager('FakeDmaManager', { create: ({ deadlineMs }) => new FakeDmaManager(deadlineMs) })
