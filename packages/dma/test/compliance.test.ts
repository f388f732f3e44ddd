import { silentLogger, silentRecorder } from '@pcikit/core'
import { MappedDmaManager, mappedDmaOptions } from '@pcikit/dma'
import { describeDmaManager } from '../../testkit/src/compliance/dma-manager.js'

describeDmaManager('MappedDmaManager', {
  create: ({ deadlineMs }) => {
    const options = mappedDmaOptions.parse({ unmapDeadlineMs: deadlineMs })
    return new MappedDmaManager(options, silentRecorder, silentLogger)
  }
})
