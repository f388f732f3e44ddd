import { silentLogger, silentRecorder } from '@pcikit/core'
import { MappedDmaManager, mappedDmaOptions } from '@pcikit/dma'
import { describeDmaManager } from '@pcikit/testkit/compliance'

describeDmaManager('MappedDmaManager', {
  create: ({ deadlineMs }) => {
    const options = mappedDmaOptions.parse({ unmapDeadlineMs: deadlineMs })
    return new MappedDmaManager(options, silentRecorder, silentLogger)
  }
})
