import { Header, HeaderFlags } from './layouts/header.js'
import { MessageType } from './protocol.js'
import { NO_DESCRIPTORS } from './descriptor-ledger.js'

/** A command from a client. One record serves all messages of a connection, one after the other. */
export class Message {
  messageId = 0
  command = 0
  flags = 0
  /** Where the payload is. Stays readable until the handling of the command has ended. */
  view: DataView = EMPTY_VIEW
  position = 0
  /** How long the payload is, as the header says and as it is here. */
  byteLength = 0
  /** What came with the message. Whoever uses one calls {@link Message.takeDescriptors}; the others get closed. */
  descriptors: readonly number[] = NO_DESCRIPTORS
  /** Whether more descriptors came than were agreed on. They are closed already. */
  hadExcessDescriptors = false

  /** Reads the header at `position` of `view`. */
  load (view: DataView, position: number): void {
    this.messageId = Header.messageId.get(view, position)
    this.command = Header.command.get(view, position)
    this.flags = Header.flags.get(view, position)
    this.view = view
    this.position = position + Header.byteLength
    this.byteLength = Header.messageSize.get(view, position) - Header.byteLength
    this.descriptors = NO_DESCRIPTORS
    this.hadExcessDescriptors = false
  }

  get isCommand (): boolean {
    return HeaderFlags.TYPE.get(this.flags) === MessageType.COMMAND
  }

  get wantsReply (): boolean {
    return !HeaderFlags.NO_REPLY.isSet(this.flags)
  }

  /** Hands the descriptors to the caller, who must close or pass on each. */
  takeDescriptors (): readonly number[] {
    const descriptors = this.descriptors
    this.descriptors = NO_DESCRIPTORS
    return descriptors
  }
}

const EMPTY_VIEW = new DataView(new ArrayBuffer(0))
