import type { GuestMemory } from '../../src/guest/guest-memory.js'
import { Cqe, Property, Sqe } from '../../src/nvme/layouts.js'
import type { RegionAccess } from '../../src/vfio-user/vfio-user-client.js'

/** A command as the controller fetched it. */
export interface Fetched {
  readonly sqid: number
  readonly cid: number
  readonly opcode: number
  readonly prp1: number
}

/** Just enough of a controller for a driver's tests: it does what `onCommand` says and nothing more. */
export class ScriptedController implements RegionAccess {
  readonly writes: string[] = []
  /** Called for each command. Completes it with success unless replaced. */
  onCommand: (command: Fetched) => void = command => this.complete(command, 0)
  readonly #memory: GuestMemory
  readonly #registers = new DataView(new ArrayBuffer(0x1000))
  readonly #rings = new Map<number, { iova: number, depth: number, head: number }>()
  #tail = 0
  #phase = 1

  constructor (memory: GuestMemory) {
    this.#memory = memory
    this.#registers.setUint32(Property.CAP, 0x0101_03ff, true)
  }

  readRegion (_region: number, offset: number, count: number): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(this.#registers.buffer.slice(offset, offset + count)))
  }

  writeRegion (_region: number, offset: number, data: Uint8Array): Promise<void> {
    const value = new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(0, true)
    this.writes.push(`${offset.toString(16)}=${value.toString(16)}`)
    if (offset >= 0x1000) this.#ring(offset, value)
    else this.#setRegister(offset, data, value)
    return Promise.resolve()
  }

  /** Posts a completion to the admin completion queue. */
  complete (command: { readonly sqid: number, readonly cid: number }, statusField: number, dw0 = 0): void {
    const iova = Number(this.#registers.getBigUint64(Property.ACQ, true)) + this.#tail * Cqe.byteLength
    const depth = (this.#registers.getUint32(Property.AQA, true) >>> 16) + 1
    const bytes = new Uint8Array(Cqe.byteLength)
    const view = new DataView(bytes.buffer)
    Cqe.dw0.set(view, 0, dw0)
    Cqe.sqhd.set(view, 0, this.#rings.get(command.sqid)?.head ?? 0)
    Cqe.sqid.set(view, 0, command.sqid)
    Cqe.cid.set(view, 0, command.cid)
    Cqe.status.set(view, 0, (statusField << 1) | this.#phase)
    this.#memory.store(iova, bytes)
    this.#tail = (this.#tail + 1) % depth
    if (this.#tail === 0) this.#phase ^= 1
  }

  /** Sets CSTS. */
  setStatus (value: number): void {
    this.#registers.setUint32(Property.CSTS, value, true)
  }

  #setRegister (offset: number, data: Uint8Array, value: number): void {
    new Uint8Array(this.#registers.buffer).set(data, offset)
    if (offset !== Property.CC) return
    this.setStatus(value & 1)
    const iova = Number(this.#registers.getBigUint64(Property.ASQ, true))
    this.#rings.set(0, { iova, depth: (this.#registers.getUint32(Property.AQA, true) & 0xfff) + 1, head: 0 })
    this.#tail = 0
    this.#phase = 1
  }

  #ring (offset: number, tail: number): void {
    const ring = this.#rings.get((offset - 0x1000) / 8)
    while (ring !== undefined && ring.head !== tail) {
      const bytes = this.#memory.bytesAt(ring.iova + ring.head * Sqe.byteLength, Sqe.byteLength)
      const view = new DataView(bytes.buffer)
      ring.head = (ring.head + 1) % ring.depth
      const [cid, opcode, prp1] = [Sqe.cid.get(view, 0), Sqe.opcode.get(view, 0), Sqe.prp1.get(view, 0)]
      this.onCommand({ sqid: (offset - 0x1000) / 8, cid, opcode, prp1 })
    }
  }
}
