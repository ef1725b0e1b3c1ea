// How long people wait for a document: one with a long history, and all at once.
import fs from 'node:fs'
import zlib from 'node:zlib'
import { turn } from './line.mjs'
import { now, Times } from './meter.mjs'
import { Person } from './person.mjs'
import { FIRST_ID, Y } from './typist.mjs'
import { sleep, until } from './waiting.mjs'

const STEP_2 = 1
// How far a writer runs ahead of what the server has taken in.
const WINDOW = 50
// Nothing came for so long: what has come may be looked at without being late for what comes next.
const QUIET_MS = 50

/** The updates of an editing trace, so many edits each, and the text in the end. */
const traced = (file, edits) => {
  const { txns, endContent } = JSON.parse(zlib.gunzipSync(fs.readFileSync(file)))
  const doc = new Y.Doc()
  doc.clientID = FIRST_ID
  const content = doc.getText('content')
  const updates = []
  doc.on('update', update => updates.push(Buffer.from(update)))
  const patches = txns.flatMap(txn => txn.patches)
  for (let i = 0; i < patches.length; i += edits) {
    doc.transact(() => {
      for (const [at, removed, inserted] of patches.slice(i, i + edits)) {
        if (removed) content.delete(at, removed)
        if (inserted) content.insert(at, inserted)
      }
    })
  }
  if (content.toString() !== endContent) throw new Error('the trace does not end in its text')
  return { updates, edits: patches.length, text: endContent }
}

/** Somebody who writes a trace into a document and stays there. */
export class Scribe {
  async write({ file, edits, ...how }) {
    const trace = traced(file, edits)
    this.person = new Person(how)
    await until(() => this.person.synced || this.person.closed !== null)
    const began = now()
    for (const [i, update] of trace.updates.entries()) {
      this.person.offer(update)
      if (i % WINDOW === 0) await this.person.settle(Y.encodeStateVectorFromUpdate(update))
    }
    await this.person.settle(Y.encodeStateVectorFromUpdate(trace.updates.at(-1)))
    return {
      edits: trace.edits,
      updates: trace.updates.length,
      characters: trace.text.length,
      ms: now() - began,
    }
  }

  leave() {
    this.person.leave()
    return {}
  }
}

/**
 * Open a document and wait until it holds `characters` and nothing more comes; -1 takes what is there once it is synced.
 * The time is that from the first packet to the last one that was needed: what the reader does with it is not counted.
 */
export const open = async (
  { characters, within_s: within = 30, quiet_ms: quiet = QUIET_MS, ...how },
  isWanted = null,
) => {
  const doc = new Y.Doc()
  const content = doc.getText('content')
  const person = new Person(how)
  const received = []
  let heard = now()
  person.onSync = (kind, bytes, from, to) => {
    heard = turn.time
    received.push({ at: heard, update: Buffer.from(bytes.subarray(from, to)), kind })
  }
  let done = null
  let isSynced = false
  const isWhole = () => (characters < 0 ? isSynced : content.length === characters)
  await until(() => {
    if (person.closed !== null) return true
    if (now() - heard < quiet) return false
    for (const { at, update, kind } of received.splice(0)) {
      Y.applyUpdate(doc, update)
      isSynced ||= kind === STEP_2
      if (isWhole()) done ??= at
    }
    return done !== null
  }, within * 1000)
  const { bytes, closed } = person
  person.leave()
  return {
    ms: done === null ? null : done - person.began,
    bytes,
    characters: content.length,
    clock: Y.getState(doc.store, FIRST_ID),
    closed,
    ...(isWanted && { isWhole: isWanted(content.toString()) }),
  }
}

/** So many people come to each document in one moment; when they have it. */
export const storm = async ({ documents, people, ...how }) => {
  const began = now()
  const all = Array(people)
    .fill(documents)
    .flat()
    .map(document => new Person({ ...how, document }))
  const asked = now() - began
  await until(() => all.every(person => person.synced || person.closed !== null))
  const times = new Times()
  for (const person of all) if (person.synced) times.add(person.synced - began)
  const failed = all.filter(person => !person.synced)
  const why = [...new Set(failed.map(person => person.closed ?? 'no answer'))]
  for (const person of all) person.leave()
  await sleep(500)
  return { people: all.length, failed: failed.length, why, asked_ms: asked, ...times.summary() }
}
