/** One DMA_READ or DMA_WRITE on its way to the client and back. */
export interface DmaRequest {
  readonly messageId: number
  readonly command: number
  /** When the answer must be here, in milliseconds of the monotonic clock. */
  readonly deadline: number
  /** Called with the payload of the reply. The memory is only good during the call. */
  readonly resolve: (view: DataView, position: number, byteLength: number) => void
  readonly reject: (error: Error) => void
}

/** What is known about a request before it has a message id. */
export interface DmaRequestDraft {
  readonly command: number
  /** Bytes of the message without its header. */
  readonly byteLength: number
  readonly write: (view: DataView, bytes: Uint8Array, position: number) => void
  readonly resolve: DmaRequest['resolve']
  readonly reject: DmaRequest['reject']
}
