// @vitest-environment jsdom
import 'fake-indexeddb/auto'
import { IDBFactory } from 'fake-indexeddb'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import * as Y from 'yjs'
import { COPIES, committed, type Why, withDatabase } from '../src/sync/database'
import { type Carried, type DocumentSession, openDocument } from '../src/sync/index'
import { ageOut, countKept, listKept, removeKept } from '../src/sync/kept'
import { LocalCopy } from '../src/sync/local-copy'
import { insertedIn, newsOf, partsOf } from '../src/sync/news'
import { settle } from '../src/sync/rebuild'
import { Peer } from './support/peer'

const DAY_MS = 86_400_000
const refused: Why = { kind: 'refused', reason: 'too large' }

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory()
})

/** A document of this client id with a text. */
function docOf(clientId: number, text: string): Y.Doc {
  const doc = new Y.Doc()
  doc.clientID = clientId
  doc.getText('content').insert(0, text)
  return doc
}

/** A replica that has all of another and goes on by itself. */
function copyOf(doc: Y.Doc, clientId: number): Y.Doc {
  const copy = new Y.Doc()
  copy.clientID = clientId
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc))
  return copy
}

const textIn = (doc: Y.Doc): string => doc.getText('content').toString()

describe('what only this device has', () => {
  test('is the difference between two replicas, whatever both went through', () => {
    const theirs = docOf(1, 'one two three')
    const ours = copyOf(theirs, 2)
    ours.getText('content').insert(3, ' 😀')
    ours.getText('content').delete(0, 1)
    theirs.getText('content').insert(0, 'THEY ')
    const news = newsOf(theirs, ours)
    expect(insertedIn(news)).toEqual([' 😀'])
    theirs.getText('content').applyDelta(news)
    expect(textIn(theirs)).toBe(textIn(ours))
    expect(newsOf(theirs, copyOf(theirs, 3))).toEqual([])
  })

  test('is found in the text by the updates that brought it, in parts', () => {
    const doc = docOf(1, 'one two')
    const mine: Uint8Array[] = []
    doc.on('update', (update: Uint8Array) => mine.push(update))
    const text = doc.getText('content')
    text.insert(0, 'zero ')
    text.insert(text.length, ' three')
    text.insert(text.length, ' four')
    text.delete(text.length - 1, 1)
    expect(partsOf(Y.encodeStateAsUpdate(doc), mine)).toEqual(['zero ', ' three fou'])
    expect(partsOf(Y.encodeStateAsUpdate(doc), [])).toEqual([])
  })
})

describe('an older replica', () => {
  const fresh = docOf(1, 'one')
  const older = copyOf(fresh, 2)
  older.getText('content').insert(3, ' refused')
  const state = Y.encodeStateAsUpdate(older)
  const mine = [Y.encodeStateAsUpdate(older, Y.encodeStateVector(fresh))]
  const carried: Carried = { state, refused: null, reapply: false, why: refused }

  test('that does not come back is set aside, once for each text', () => {
    const { delta, text } = settle('d', fresh, copyOf(older, 3), carried)
    expect(delta).toBeNull()
    expect(text).toMatchObject({ document: 'd', text: 'one refused', parts: [' refused'], why: refused })
    expect(settle('d', fresh, copyOf(older, 3), carried).text?.id).toBe(text?.id)
  })

  test('that comes back as new edits is not set aside', () => {
    const { delta, text } = settle('d', fresh, copyOf(older, 3), { ...carried, reapply: true })
    expect(delta).toEqual([{ retain: 3 }, { insert: ' refused' }])
    expect(text).toBeUndefined()
  })

  test('of which the refused part was undone keeps that part aside', () => {
    const undone = copyOf(older, 3)
    undone.getText('content').delete(3, 8)
    const { delta, text } = settle('d', fresh, undone, {
      ...carried,
      refused: { state, mine },
      reapply: true,
    })
    expect(delta).toBeNull()
    expect(text).toMatchObject({ text: 'one refused', parts: [' refused'] })
  })

  test('that only lacks something is kept as a whole', () => {
    const shorter = copyOf(fresh, 2)
    shorter.getText('content').delete(0, 2)
    expect(settle('d', fresh, shorter, carried).text).toMatchObject({ text: 'e', parts: [] })
  })
})

describe('what can be recovered', () => {
  test('are unsaved, replaced and set aside texts, latest first; what is saved is not', async () => {
    await write('saved', 1, true)
    await write('unsaved', 1)
    await write('replaced', 1, true)
    await write('replaced', 2, true)
    const copy = new LocalCopy('refused', 1)
    copy.startOver(docOf(1, 'theirs'), {
      id: 'refused x',
      document: 'refused',
      at: Date.now() + DAY_MS,
      why: refused,
      text: 't',
      parts: [],
    })
    copy.close()
    await vi.waitFor(async () => expect(await countKept()).toBe(3))
    const kept = await listKept()
    expect(kept.map(({ document, why, changes }) => [document, why?.kind, changes])).toEqual([
      ['refused', 'refused', 0],
      ['replaced', 'replaced', 0],
      ['unsaved', undefined, 1],
    ])
    for (const each of kept) await removeKept(each)
    expect(await listKept()).toEqual([])
  })

  test('never ages; a saved copy that nobody opened for 30 days goes', async () => {
    for (const name of ['new', 'old', 'unsaved']) await write(name, 1, name !== 'unsaved')
    for (const name of ['old', 'unsaved']) await openedLast(name, Date.now() - 31 * DAY_MS)
    expect(await ageOut()).toEqual(['old'])
    expect((await listKept()).map(({ document }) => document)).toEqual(['unsaved'])
    expect(await reads('old')).toBe('')
    expect(await reads('new')).toBe('new')
  })
})

describe('a session that takes an older replica over', () => {
  let peer: Peer
  let session: DocumentSession

  beforeEach(async () => {
    peer = await Peer.start()
  })

  afterEach(async () => {
    session.destroy()
    await peer.stop()
  })

  test('brings what the server lacks under a client id of its own, and leaves nothing of the old one', async () => {
    const older = new LocalCopy('d', 3)
    peer.text.insert(0, 'theirs')
    const ours = copyOf(peer.doc, 77)
    await older.load(new Y.Doc())
    ours.on('update', (update: Uint8Array) => older.keepLocal(update))
    ours.getText('content').insert(6, ', mine')
    await older.written()
    older.close()
    const why: Why = { kind: 'fork', reason: '' }
    const carried = { state: Y.encodeStateAsUpdate(ours), refused: null, reapply: true, why }
    session = openDocument('d', { role: 'editor', generation: 3, url: peer.url, carried })
    await peer.hears(0x00, 0x00)
    peer.greet()
    await vi.waitFor(() => expect(session.text.toString()).toBe('theirs, mine'))
    expect(session.synced.value).toBe(true)
    expect([...Y.decodeStateVector(Y.encodeStateVector(session.doc)).keys()]).not.toContain(77)
    const sent = await peer.hears(0x00, 0x02)
    Y.applyUpdate(peer.doc, sent.slice(3))
    expect(peer.text.toString()).toBe('theirs, mine')
    peer.ack(2)
    await vi.waitFor(() => expect(session.save.value).toBe('saved'))
    await vi.waitFor(async () => expect(await countKept()).toBe(0))
    expect(await reads('d', 3)).toBe('theirs, mine')
  })

  test('a frame that the server finds too large ends no connection twice', async () => {
    session = openDocument('d', { role: 'editor', generation: 3, url: peer.url })
    const kinds: (string | undefined)[] = []
    session.onNotice(({ limit }) => kinds.push(limit))
    await peer.hears(0x00, 0x00)
    peer.greet()
    await peer.hears(0x00, 0x01)
    peer.ack(1)
    await vi.waitFor(() => expect(session.save.value).toBe('saved'))
    session.text.insert(0, 'too large')
    await peer.hears(0x00, 0x02)
    peer.hangUp(1009)
    await vi.waitFor(() => expect(kinds).toEqual(['max_frame_bytes']))
    peer.heard = []
    session.retryNow()
    await peer.hears(0x00, 0x00)
    peer.greet()
    expect(await peer.hears(0x00, 0x01)).toEqual(Uint8Array.of(0x00, 0x01, 2, 0, 0))
    peer.ack(1)
    session.text.insert(0, 'and more ')
    await vi.waitFor(() => expect([session.save.value, session.blocked.value]).toEqual(['unsaved', true]))
    expect(peer.counted).toBe(1)
    expect(session.unsavedCount.value).toBe(2)
  })
})

/** A copy with one change, which the server has stored or not. */
async function write(document: string, generation: number, isSaved = false): Promise<void> {
  const copy = new LocalCopy(document, generation)
  await copy.load(new Y.Doc())
  copy.keepLocal(Y.encodeStateAsUpdate(docOf(9, document)))
  await copy.written()
  if (isSaved) copy.stored()
  copy.close()
  if (isSaved) await vi.waitFor(async () => expect(await reads(document, generation)).toBe(document))
}

async function reads(document: string, generation = 1): Promise<string> {
  const copy = new LocalCopy(document, generation)
  const doc = new Y.Doc()
  await copy.load(doc)
  copy.close()
  return textIn(doc)
}

async function openedLast(document: string, opened: number): Promise<void> {
  await withDatabase(async database => {
    const transaction = database.transaction(COPIES, 'readwrite')
    transaction.objectStore(COPIES).put({ document, generation: 1, opened, why: null })
    await committed(transaction)
  })
}
