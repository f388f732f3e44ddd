/**
 * Who in this thread has turns of the event loop at the moment. Whoever is alone may take a longer turn, or sleep for a
 * moment in it: nobody waits for him.
 */
export const loopUsers = {
  /** Loops that look again and again at what nobody tells of. */
  pollLoops: 0,
  /** Devices that are told of their work have a turn soon. */
  areTurnsDue: false
}
