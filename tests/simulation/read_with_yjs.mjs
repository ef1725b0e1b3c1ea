// Reads lines of JSON {seed, payloads}: the updates of a log in base64, in order. Writes a line {seed, sha256} each:
// what yjs makes of them.

import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const Y = createRequire(new URL('../../web/package.json', import.meta.url))('yjs')

for await (const line of createInterface({ input: process.stdin })) {
  const { seed, payloads } = JSON.parse(line)
  const doc = new Y.Doc()
  for (const payload of payloads) Y.applyUpdate(doc, new Uint8Array(Buffer.from(payload, 'base64')))
  const sha256 = createHash('sha256').update(doc.getText('content').toString(), 'utf8').digest('hex')
  process.stdout.write(`${JSON.stringify({ seed, sha256 })}\n`)
}
