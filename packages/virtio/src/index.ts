export { FEATURE_BITS, FeatureSet, VirtioFeature } from './feature.js'
export type { ChainPart, VirtqueueChain } from './chain.js'
export { VirtioDeviceType } from './device-model.js'
export type {
  VirtioConfig,
  VirtioDescription,
  VirtioDevice,
  VirtioModel,
  VirtioServices,
  VirtioSharedMemory,
  VirtqueueDescription,
  VirtqueueTimes
} from './device-model.js'
