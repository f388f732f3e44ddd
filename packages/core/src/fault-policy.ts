/**
 * What a device does about a DMA transaction that did not happen. An option of each device, `faultPolicy`.
 *
 * - DROP: nobody is told. What is read is all ones and what is written vanishes, as when a root complex swallows a
 *   master abort ([PCIe] "Unsupported Request", "Completer Abort"): the device takes the transaction for done. Its data
 *   path is {@link dropFaults}; rings and queues wait for their memory for as long as it takes, since a ring of ones is
 *   no ring.
 * - FAULT: the device reports what its own specification has for it, and goes on. The default.
 * - FATAL: the first fault of any kind stops the device, and it reports that it cannot go on.
 *
 * Bus mastering being off is no fault under any of them: whoever switched it off knows.
 */
export const FaultPolicy = Object.freeze({ DROP: 'drop', FAULT: 'fault', FATAL: 'fatal' } as const)
export type FaultPolicy = (typeof FaultPolicy)[keyof typeof FaultPolicy]
