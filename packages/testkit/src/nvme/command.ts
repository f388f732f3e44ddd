import { Sqe } from './layouts.js'

/** A command, as a driver puts it together. What is left out is zero. [NVMe-Base] "Submission Queue Entry". */
export interface NvmeCommand {
  readonly opcode: number
  /** FUSE and PSDT. */
  readonly flags?: number
  readonly nsid?: number
  readonly cdw2?: number
  readonly cdw3?: number
  readonly mptr?: number
  readonly prp1?: number
  readonly prp2?: number
  readonly cdw10?: number
  readonly cdw11?: number
  readonly cdw12?: number
  readonly cdw13?: number
  readonly cdw14?: number
  readonly cdw15?: number
}

/** The 64 bytes of a command. */
export function encodeCommand (command: NvmeCommand, cid: number): Uint8Array {
  const bytes = new Uint8Array(Sqe.byteLength)
  const view = new DataView(bytes.buffer)
  Sqe.opcode.set(view, 0, command.opcode)
  Sqe.flags.set(view, 0, command.flags ?? 0)
  Sqe.cid.set(view, 0, cid)
  Sqe.nsid.set(view, 0, command.nsid ?? 0)
  Sqe.cdw2.set(view, 0, command.cdw2 ?? 0)
  Sqe.cdw3.set(view, 0, command.cdw3 ?? 0)
  Sqe.mptr.set(view, 0, command.mptr ?? 0)
  Sqe.prp1.set(view, 0, command.prp1 ?? 0)
  Sqe.prp2.set(view, 0, command.prp2 ?? 0)
  Sqe.cdw10.set(view, 0, command.cdw10 ?? 0)
  Sqe.cdw11.set(view, 0, command.cdw11 ?? 0)
  Sqe.cdw12.set(view, 0, command.cdw12 ?? 0)
  Sqe.cdw13.set(view, 0, command.cdw13 ?? 0)
  Sqe.cdw14.set(view, 0, command.cdw14 ?? 0)
  Sqe.cdw15.set(view, 0, command.cdw15 ?? 0)
  return bytes
}
