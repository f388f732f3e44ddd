// A registry with nothing in it but tarballs. npm asks it for the packages of one scope, and others elsewhere.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename } from 'node:path'
import { readManifest } from '../../scripts/pack-packages.mjs'

/** A registry that runs. */
export interface Registry {
  readonly url: string
  close(): void
}

interface Manifest {
  readonly name: string
  readonly version: string
}

/** Serves packages, each in the one version that there is. */
export async function startRegistry (tarballs: readonly string[]): Promise<Registry> {
  const documents = new Map<string, string>()
  const files = new Map<string, Buffer>()
  const server = createServer(({ url = '' }, response) => {
    const path = decodeURIComponent(url)
    answer(response, documents.get(path) ?? files.get(path))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  for (const tarball of tarballs) {
    const manifest = readManifest(tarball) as Manifest
    const { name, version } = manifest
    const file = `/-/${basename(tarball)}`
    const bytes = readFileSync(tarball)
    const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`
    const dist = { tarball: url + file, integrity }
    const document = { name, 'dist-tags': { latest: version }, versions: { [version]: { ...manifest, dist } } }
    documents.set(`/${name}`, JSON.stringify(document))
    files.set(file, bytes)
  }
  return { url, close: () => void server.close() }
}

function answer (response: ServerResponse, body: string | Buffer | undefined): void {
  const type = typeof body === 'string' ? 'application/json' : 'application/octet-stream'
  response.writeHead(body === undefined ? 404 : 200, { 'content-type': type }).end(body)
}
