import { DmaFault } from '@pcikit/core'
import type { DmaPort, Logger } from '@pcikit/core'
import { InFlight } from './in-flight.js'
import type { InUse } from './in-flight.js'
import type { Region } from './region.js'

/** How many requests of one transfer wait for their answers at a time. */
const REQUESTS_AT_ONCE_MAX = 8

/** A part of a transfer that goes by message. */
export interface MessagePiece {
  readonly region: Region
  readonly iova: number
  readonly bytes: Uint8Array
}

/** How a transfer ended, and where if it failed. */
export interface MessageResult {
  readonly fault: DmaFault
  readonly iova: number
}

/** Which way the bytes go: `read` asks the client for them. */
export type MessageDirection = 'read' | 'write'

/**
 * Reaches memory that the client does not share, by asking it. Nothing is asked about a region once it left the table;
 * what was asked before is waited for by the unmap, while the transport goes on to deliver answers.
 */
export class ClientMessages implements InUse {
  /** Transfers that are not done. */
  readonly inFlight = new InFlight()
  readonly #logger: Logger
  readonly #isBusMaster: () => boolean
  #port: DmaPort | undefined = undefined
  #explained = false
  /** How often transfers were cut off. */
  #cuts = 0

  constructor (logger: Logger, isBusMaster: () => boolean) {
    this.#logger = logger
    this.#isBusMaster = isBusMaster
  }

  get isConnected (): boolean {
    return this.#port !== undefined
  }

  setPort (port: DmaPort | undefined): void {
    this.#port = port
    this.#explained = false
  }

  /** Lets no transfer go on that has begun. */
  cutOff (): void {
    this.#cuts += 1
  }

  /** Transfers all pieces, a few at a time, for as long as they are wanted. Stops at the first that fails. */
  async transfer (
    direction: MessageDirection,
    pieces: readonly MessagePiece[],
    isWanted: () => boolean = () => true
  ): Promise<MessageResult> {
    const cuts = this.#cuts
    this.#explain(pieces)
    this.inFlight.enter()
    try {
      return await this.#takePieces(direction, pieces, () => cuts === this.#cuts && isWanted())
    } finally {
      this.inFlight.leave()
    }
  }

  async #takePieces (
    direction: MessageDirection,
    pieces: readonly MessagePiece[],
    isWanted: () => boolean
  ): Promise<MessageResult> {
    let next = 0
    let result: MessageResult = { fault: DmaFault.NONE, iova: 0 }
    const takeTurns = async (): Promise<void> => {
      while (next < pieces.length && result.fault === DmaFault.NONE) {
        const piece = pieces[next++]!
        const fault = await this.#transferPiece(direction, piece, isWanted)
        if (fault !== DmaFault.NONE) result = { fault, iova: piece.iova }
      }
    }
    await Promise.all(Array.from({ length: REQUESTS_AT_ONCE_MAX }, takeTurns))
    return result
  }

  /** Why nothing may be asked about the region now. */
  #refusal (region: Region): DmaFault {
    if (!region.isPresent) return DmaFault.REVOKED
    if (!this.#isBusMaster()) return DmaFault.BUS_MASTER_OFF
    return DmaFault.NONE
  }

  async #transferPiece (
    direction: MessageDirection,
    { region, iova, bytes }: MessagePiece,
    isWanted: () => boolean
  ): Promise<DmaFault> {
    region.inFlight.enter()
    try {
      for (let at = 0; at < bytes.byteLength;) {
        const refusal = isWanted() ? this.#refusal(region) : DmaFault.REVOKED
        if (refusal !== DmaFault.NONE) return refusal
        const port = this.#port
        if (port === undefined) return DmaFault.PEER_FAILED
        const part = bytes.subarray(at, at + port.transferBytesMax)
        if (direction === 'read') await port.read(iova + at, part)
        else await port.write(iova + at, part)
        at += part.byteLength
      }
      return region.isCutOff || !isWanted() ? DmaFault.REVOKED : DmaFault.NONE
    } catch (error) {
      this.#logger.debug({ err: error, iova, direction }, 'The client did not transfer memory that it does not share.')
      return DmaFault.PEER_FAILED
    } finally {
      region.inFlight.leave()
    }
  }

  #explain (pieces: readonly MessagePiece[]): void {
    if (this.#explained || pieces.length === 0) return
    this.#explained = true
    this.#logger.warn(
      { iova: `0x${pieces[0]!.iova.toString(16)}` },
      'The client does not share this memory, so every access to it is a message, which is slow. With QEMU, make the ' +
        'memory of the guest a shared one: -object memory-backend-memfd,id=mem,size=SIZE,share=on ' +
        '-machine memory-backend=mem'
    )
  }
}
