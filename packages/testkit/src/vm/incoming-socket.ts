import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'

/** A UNIX socket on which exactly one connection is expected. */
export interface IncomingSocket {
  readonly connection: Promise<Socket>
  /** Stops listening. */
  close(): void
}

/** Listens before the other side starts, so that nothing it says is lost. */
export async function listenOnce (path: string): Promise<IncomingSocket> {
  const server = createServer()
  const connection = new Promise<Socket>(resolve => {
    server.once('connection', socket => {
      server.close()
      resolve(socket)
    })
  })
  server.listen(path)
  await once(server, 'listening')
  return {
    connection,
    close: () => {
      server.close()
    }
  }
}
