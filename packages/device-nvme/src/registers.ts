import { bits } from '@pcikit/wire'
import type { RegisterSpec } from '@pcikit/wire'

/**
 * Version 1.4: what QEMU's own controller reports, so what every guest has met. Nothing that later versions add is of
 * use here, and hosts ask more of 2.0: CRTO, Identify and log pages that are not optional there.
 * [NVMe-Base] "VS: Version": MJR 31:16, MNR 15:8, TER 7:0.
 */
export const CONTROLLER_VERSION = 0x0001_0400

/** Where the doorbells start, with a stride of 4 bytes: CAP.DSTRD is 0. [NVMe-PCIe] "Doorbell properties". */
export const DOORBELLS_AT = 0x1000
/** Bytes of BAR 0: Windows wants 16 KiB. */
export const BAR_BYTES = 0x4000

/** CAP bits 31:0. [NVMe-Base] "CAP: Controller Capabilities". */
export const CapLow = Object.freeze({ MQES: bits(15, 0), CQR: bits(16), AMS: bits(18, 17), TO: bits(31, 24) })
/** CAP bits 63:32, counted from 0. */
export const CapHigh = Object.freeze({
  DSTRD: bits(3, 0),
  NSSRS: bits(4),
  CSS_NVM: bits(5),
  MPSMIN: bits(19, 16),
  MPSMAX: bits(23, 20)
})

/** [NVMe-Base] "CC: Controller Configuration". */
export const Cc = Object.freeze({
  EN: bits(0),
  CSS: bits(6, 4),
  MPS: bits(10, 7),
  AMS: bits(13, 11),
  SHN: bits(15, 14),
  IOSQES: bits(19, 16),
  IOCQES: bits(23, 20)
})

/** [NVMe-Base] "CSTS: Controller Status". */
export const Csts = Object.freeze({ RDY: bits(0), CFS: bits(1), SHST: bits(3, 2), NSSRO: bits(4), PP: bits(5) })
/** [NVMe-Base] "CSTS: Shutdown Status". */
export const ShutdownStatus = Object.freeze({ NORMAL: 0, OCCURRING: 1, COMPLETE: 2 } as const)

/** [NVMe-Base] "AQA: Admin Queue Attributes". 0's based. */
export const Aqa = Object.freeze({ ASQS: bits(11, 0), ACQS: bits(27, 16) })

/** Bytes of the smallest memory page: CAP.MPSMIN is 0. */
export const PAGE_BYTES_MIN = 4096
/** log2 of the largest memory page over 4 KiB: 64 KiB. */
export const MPSMAX = 4
/** CAP.TO in units of 500 ms: 20 s, for back ends that are slow to finish what is in flight. */
const TIMEOUT = 40

const capHigh = CapHigh.MPSMAX.set(CapHigh.CSS_NVM.set(0, 1), MPSMAX)

/**
 * The controller properties. [NVMe-Base] "Property Definition"; the interrupt masks: [NVMe-PCIe] "Interrupt Mask Set",
 * "Interrupt Mask Clear". Unassigned words, among them those of features that CAP does not claim, read as zero.
 */
export function controllerProperties (queueEntries: number) {
  const capLow = CapLow.TO.set(CapLow.CQR.set(CapLow.MQES.set(0, queueEntries - 1), 1), TIMEOUT)
  return {
    CAP: { offset: 0x00, reset: capLow },
    CAP_HIGH: { offset: 0x04, reset: capHigh },
    VS: { offset: 0x08, reset: CONTROLLER_VERSION },
    INTMS: { offset: 0x0c, writable: 0xffff_ffff },
    INTMC: { offset: 0x10, writable: 0xffff_ffff },
    CC: { offset: 0x14, writable: 0x00ff_fff1 },
    CSTS: { offset: 0x1c },
    AQA: { offset: 0x24, writable: Aqa.ASQS.mask | Aqa.ACQS.mask },
    ASQ: { offset: 0x28, writable: 0xffff_f000 },
    ASQ_HIGH: { offset: 0x2c, writable: 0xffff_ffff },
    ACQ: { offset: 0x30, writable: 0xffff_f000 },
    ACQ_HIGH: { offset: 0x34, writable: 0xffff_ffff }
  } as const satisfies Record<string, RegisterSpec>
}

/** The names of the controller properties. */
export type ControllerProperty = keyof ReturnType<typeof controllerProperties>
