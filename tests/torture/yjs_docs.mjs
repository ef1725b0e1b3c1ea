// Keeps yjs documents by name. Reads lines of JSON, answers each with one: the SHA-256 of the document's text, and the
// update that a change of its own made.
//   {doc, client, state}         a new document under a client id, with a state in base64
//   {doc, at, delete, insert}    a change in UTF-16 units
//   {doc, at, length, bold}      formatting
//   {doc, apply}                 an update in base64

import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const Y = createRequire(new URL('../../web/package.json', import.meta.url))('yjs')
const docs = new Map()
const bytes = base64 => new Uint8Array(Buffer.from(base64, 'base64'))

function open({ doc, client, state }) {
  const made = new Y.Doc()
  made.clientID = client
  Y.applyUpdate(made, bytes(state))
  docs.set(doc, made)
}

function change(target, { at, delete: gone, insert, length, bold, apply }) {
  const text = target.getText('content')
  if (apply !== undefined) Y.applyUpdate(target, bytes(apply))
  else if (bold !== undefined) text.format(at, length, { bold })
  else {
    text.delete(at, gone)
    text.insert(at, insert)
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const told = JSON.parse(line)
  if (told.client !== undefined) open(told)
  const target = docs.get(told.doc)
  const updates = []
  const listen = update => updates.push(Buffer.from(update).toString('base64'))
  target.on('update', listen)
  if (told.client === undefined) target.transact(() => change(target, told))
  target.off('update', listen)
  const sha256 = createHash('sha256').update(target.getText('content').toString(), 'utf8').digest('hex')
  process.stdout.write(`${JSON.stringify({ sha256, updates })}\n`)
}
