import { describePlugin, describeVirtioDevice } from '@pcikit/testkit/compliance'
import { sampleEntropy, serveRng } from './served-rng.js'

describeVirtioDevice('virtio-rng', { create: () => serveRng(), sample: () => sampleEntropy() })

describePlugin('virtio-rng', { load: () => import('../src/index.js') })
