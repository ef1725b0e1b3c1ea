// @vitest-environment jsdom
import 'fake-indexeddb/auto'
import { IDBFactory } from 'fake-indexeddb'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import * as Y from 'yjs'
import { isFinal } from '../src/sync/carrier'
import { backoff } from '../src/sync/connection'
import { sha256 } from '../src/sync/digest'
import { type DocumentSession, type Notice, openDocument, type SaveState } from '../src/sync/index'
import { listKept } from '../src/sync/kept'
import { OPEN_WITHIN_MS } from '../src/sync/local-copy'
import { encodeStep2, encodeUpdate } from '../src/sync/wire'
import { Peer } from './support/peer'

let peer: Peer
let sessions: DocumentSession[] = []

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory()
  peer = await Peer.start()
})

afterEach(async () => {
  for (const session of sessions) session.destroy()
  sessions = []
  await peer.stop()
  vi.restoreAllMocks()
})

function open(role = 'editor'): DocumentSession {
  const session = openDocument('d', { role, generation: 3, url: peer.url })
  sessions.push(session)
  return session
}

/** A session after a first exchange that is acknowledged. */
async function openSettled(role = 'editor'): Promise<DocumentSession> {
  const session = open(role)
  await peer.hears(0x00, 0x00)
  peer.greet()
  await peer.hears(0x00, 0x01)
  peer.ack(1)
  await saves(session, 'saved')
  return session
}

const saves = (session: DocumentSession, state: SaveState): Promise<void> =>
  vi.waitFor(() => expect(session.save.value).toBe(state))
const counted = (frames: number): Promise<void> => vi.waitFor(() => expect(peer.counted).toBe(frames))

/** What the server would hold after all frames of the session. */
function serverText(): string {
  for (const frame of peer.heard) {
    // Type, step, length of one byte: enough for the short frames of these tests.
    if (frame[0] === 0 && (frame[1] === 1 || frame[1] === 2)) Y.applyUpdate(peer.doc, frame.slice(3))
  }
  return peer.text.toString()
}

describe('the first exchange', () => {
  test('says hello with its generation, then asks; shows the text when it has come', async () => {
    peer.text.insert(0, 'from the server')
    const session = open()
    await peer.hears(0x00, 0x00)
    expect(peer.heard[0]).toEqual(Uint8Array.of(0x70, 1, 3, 0))
    expect(peer.heard[1]).toEqual(Uint8Array.of(0x00, 0x00, 1, 0))
    expect([session.synced.value, session.save.value]).toEqual([false, 'loading'])
    peer.greet()
    await vi.waitFor(() => expect(session.synced.value).toBe(true))
    expect(session.text.toString()).toBe('from the server')
  })

  test('a client id of 32 bits, new for every session', () => {
    const ids = [open(), open()].map(({ doc }) => doc.clientID)
    expect(ids[0]).not.toBe(ids[1])
    for (const id of ids) expect(id).toBeLessThan(2 ** 32)
  })
})

describe('saving', () => {
  test('a change is saved when its frame is acknowledged, not before', async () => {
    const session = await openSettled()
    expect(session.savedAt.value).toBeNull()
    session.text.insert(0, 'a')
    expect([session.save.value, session.unsavedCount.value]).toEqual(['saving', 1])
    await counted(2)
    peer.ack(1)
    peer.present(9, 1, {})
    await vi.waitFor(() => expect(session.people.value).toHaveLength(2))
    expect(session.save.value).toBe('saving')
    peer.ack(2)
    await saves(session, 'saved')
    expect([session.unsavedCount.value, session.atRisk.value]).toEqual([0, false])
    expect(session.savedAt.value).not.toBeNull()
  })

  test('changes of one turn leave in one frame, and the server has them all', async () => {
    const session = await openSettled()
    for (const letter of 'abc') session.text.insert(session.text.length, letter)
    await counted(2)
    session.text.insert(3, 'd')
    await counted(3)
    expect(serverText()).toBe('abcd')
  })

  test('a refused change is unsaved and says why; it is offered again when the role allows', async () => {
    const session = await openSettled()
    const notices: Notice[] = []
    session.onNotice(notice => notices.push(notice))
    session.text.insert(0, 'a')
    await counted(2)
    peer.notice({ kind: 'refused', reason: 'viewers may not write', frame: 2, limit: 'role' })
    peer.ack(2)
    await saves(session, 'unsaved')
    expect(notices.map(({ limit }) => limit)).toEqual(['role'])
    peer.notice({ kind: 'role', reason: '', role: 'editor' })
    await counted(3)
    peer.ack(3)
    await saves(session, 'saved')
    expect(serverText()).toBe('a')
  })

  test('a role that changes is shown', async () => {
    const session = await openSettled()
    peer.notice({ kind: 'role', reason: 'changed by Ana', role: 'viewer' })
    await vi.waitFor(() => expect(session.role.value).toBe('viewer'))
  })

  test('a reader offers an empty update', async () => {
    await openSettled('viewer')
    expect(await peer.hears(0x00, 0x01)).toEqual(Uint8Array.of(0x00, 0x01, 2, 0, 0))
  })
})

describe('losing the connection', () => {
  test('offline changes arrive with the answer to the server’s next step 1', async () => {
    const session = await openSettled()
    peer.hangUp()
    await saves(session, 'offline')
    expect(session.connection.value).toMatchObject({ phase: 'waiting', code: 1012 })
    expect(session.connection.value.retryAt).toBeGreaterThan(Date.now())
    session.text.insert(0, 'offline ')
    expect([session.save.value, session.unsavedCount.value]).toEqual(['offline', 1])
    peer.heard = []
    session.retryNow()
    await peer.hears(0x00, 0x00)
    peer.greet()
    await peer.hears(0x00, 0x01)
    expect(session.save.value).toBe('saving')
    peer.ack(1)
    await saves(session, 'saved')
    expect(serverText()).toBe('offline ')
  })

  test('what was sent but not acknowledged is sent again', async () => {
    const session = await openSettled()
    session.text.insert(0, 'lost')
    await counted(2)
    peer.hangUp()
    await saves(session, 'offline')
    peer.heard = []
    session.retryNow()
    await peer.hears(0x00, 0x00)
    peer.greet()
    await peer.hears(0x00, 0x01)
    expect(serverText()).toBe('lost')
    expect(session.save.value).toBe('saving')
  })

  test('tells a server that let us in from one that did not', async () => {
    const session = await openSettled()
    expect(session.connection.value.served).toBe(true)
    peer.hangUp(1012, 'restart')
    await vi.waitFor(() => expect(session.connection.value.phase).toBe('waiting'))
    session.retryNow()
    await vi.waitFor(() => expect(peer.connections).toBe(2))
    peer.hangUp(4404, 'no such document')
    await vi.waitFor(() =>
      expect(session.connection.value).toMatchObject({ phase: 'closed', code: 4404, served: false }),
    )
  })

  test.each([4400, 4401, 4403, 4404, 4409, 4413])('close code %i is final', async code => {
    const session = await openSettled()
    peer.hangUp(code, 'because')
    await vi.waitFor(() =>
      expect(session.connection.value).toMatchObject({
        phase: 'closed',
        code,
        reason: 'because',
        retryAt: null,
      }),
    )
    session.text.insert(0, 'x')
    expect(session.save.value).toBe('unsaved')
  })

  test('a message that can not be read ends the connection, and it comes back', async () => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue()
    const session = await openSettled()
    peer.send(Uint8Array.of(0x00, 0x02, 9, 0))
    await vi.waitFor(() => expect(session.connection.value.phase).toBe('waiting'))
    session.retryNow()
    await vi.waitFor(() => expect(peer.connections).toBe(2))
    expect(warn).toHaveBeenCalledOnce()
  })

  test('waits 1, 2, 4 ... 30 s, of which chance takes up to half', () => {
    expect([0, 1, 2, 3, 4, 5, 9].map(attempt => backoff(attempt, 0))).toEqual([
      1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000,
    ])
    expect([0, 1, 5].map(attempt => backoff(attempt, 1))).toEqual([500, 1_000, 15_000])
    expect([1006, 1012, 1013, 4399, 4400, 4499, 4500].filter(isFinal)).toEqual([4400, 4499])
  })
})

describe('the copy on this device', () => {
  test('one that never opens does not keep the server’s text away, and is not counted on', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    vi.spyOn(globalThis.indexedDB, 'open').mockReturnValue({} as IDBOpenDBRequest)
    peer.text.insert(0, 'from the server')
    const session = open()
    vi.advanceTimersByTime(OPEN_WITHIN_MS)
    vi.useRealTimers()
    await peer.hears(0x00, 0x00)
    peer.greet()
    await vi.waitFor(() => expect(session.text.toString()).toBe('from the server'))
    expect(session.onDevice.value).toBe(false)
    session.text.insert(0, 'x')
    expect(session.atRisk.value).toBe(true)
  })

  test('opens without a server, and what was written there arrives later', async () => {
    const first = await openSettled()
    first.text.insert(0, 'kept')
    await vi.waitFor(() => expect(first.atRisk.value).toBe(false))
    first.destroy()
    await peer.stop()
    const second = open()
    await vi.waitFor(() => expect(second.synced.value).toBe(true))
    expect(second.text.toString()).toBe('kept')
    second.destroy()

    peer = await Peer.start()
    const third = open()
    await peer.hears(0x00, 0x00)
    peer.greet()
    await peer.hears(0x00, 0x01)
    expect(third.save.value).toBe('saving')
    peer.ack(1)
    await saves(third, 'saved')
    expect(serverText()).toBe('kept')
  })

  test('is not waited for by a browser that knows nothing of the document, and offered when it is there', async () => {
    const first = await openSettled()
    first.text.insert(0, 'kept')
    await counted(2)
    first.destroy()
    peer.heard = []
    const second = openDocument('d', { role: 'editor', generation: 3, url: peer.url, fresh: true })
    sessions.push(second)
    await peer.hears(0x00, 0x00)
    peer.greet()
    await vi.waitFor(() => expect(second.text.toString()).toBe('kept'))
    await vi.waitFor(() => {
      second.retryNow()
      if (second.connection.value.phase === 'open' && peer.connections > 2) peer.greet()
      expect(serverText()).toBe('kept')
    })
  })

  test('is gone after it was forgotten', async () => {
    const first = await openSettled()
    first.text.insert(0, 'secret')
    await vi.waitFor(() => expect(first.atRisk.value).toBe(false))
    await first.forgetLocalCopy()
    first.destroy()
    const second = open()
    await peer.hears(0x00, 0x00)
    expect(second.text.toString()).toBe('')
  })
})

describe('others', () => {
  test('their changes wait while an input method composes', async () => {
    const session = await openSettled()
    session.hold(true)
    peer.insert(0, 'theirs')
    peer.present(9, 1, { user: { name: 'Ben' } })
    await vi.waitFor(() => expect(session.people.value).toHaveLength(2))
    expect(session.text.toString()).toBe('')
    session.hold(false)
    await vi.waitFor(() => expect(session.text.toString()).toBe('theirs'))
  })

  test('what comes back of our own among theirs is no change, no ack and nothing to send or recover', async () => {
    const session = await openSettled()
    const updates: Uint8Array[] = []
    session.doc.on('update', (update: Uint8Array) => updates.push(update))
    session.text.insert(0, 'ours')
    session.text.delete(3, 1)
    await counted(2)
    expect(serverText()).toBe('our')
    const ours = Y.mergeUpdates(updates.splice(0))
    peer.send(encodeUpdate(ours))
    const before = Y.encodeStateVector(peer.doc)
    peer.text.insert(3, ' and theirs')
    const theirs = Y.encodeStateAsUpdate(peer.doc, before)
    peer.send(encodeUpdate(Y.mergeUpdates([ours, theirs])))
    await vi.waitFor(() => expect(session.text.toString()).toBe('our and theirs'))
    expect(updates.flatMap(update => Y.decodeUpdate(update).structs.map(({ id }) => id.client))).toEqual([1])
    expect([session.save.value, session.unsavedCount.value, peer.counted]).toEqual(['saving', 2, 2])
    peer.ack(2)
    await saves(session, 'saved')
    await vi.waitFor(async () => expect(await listKept()).toEqual([]))
    expect(session.text.toString()).toBe(peer.text.toString())
  })

  test('our own state is announced, and sent on query', async () => {
    const session = await openSettled()
    peer.heard = []
    session.awareness.setLocal({ line: 4 })
    const frame = await peer.hears(0x01)
    expect(new TextDecoder().decode(frame)).toContain('{"cursor":null,"line":4,"state":"active"}')
    peer.heard = []
    peer.send(Uint8Array.of(0x03))
    await peer.hears(0x01)
  })
})

describe('the digest', () => {
  test('the same state with another text asks for everything again, and then says so, once', async () => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue()
    const session = await openSettled()
    const notices: Notice[] = []
    session.onNotice(notice => notices.push(notice))
    peer.heard = []
    for (let round = 0; round < 2; round++) peer.digest(Y.encodeStateVector(session.doc), new Uint8Array(32))
    expect(await peer.hears(0x00, 0x00)).toEqual(Uint8Array.of(0x00, 0x00, 1, 0))
    expect(notices).toEqual([])
    peer.send(encodeStep2(Y.encodeStateAsUpdate(peer.doc)))
    await vi.waitFor(() => expect(notices).toEqual([{ kind: 'differs', reason: '' }]))
    expect(await peer.hears(0x75)).toEqual(Uint8Array.of(0x75))
    expect(peer.heard).toHaveLength(2)
    expect(warn).toHaveBeenCalledOnce()
  })

  test('a deletion that the server has not taken yet is no difference', async () => {
    const session = await openSettled()
    session.text.insert(0, 'ab')
    await counted(2)
    peer.ack(2)
    await saves(session, 'saved')
    const before = await sha256('ab')
    session.text.delete(0, 1)
    await counted(3)
    peer.digest(Y.encodeStateVector(session.doc), before as Uint8Array)
    peer.ack(3)
    await saves(session, 'saved')
    expect(peer.heard.filter(([type, step]) => type === 0 && step === 0)).toHaveLength(1)
  })

  test('equal texts and other states are no news', async () => {
    const session = await openSettled()
    peer.heard = []
    const empty = Buffer.from('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'hex')
    peer.digest(Y.encodeStateVector(session.doc), empty)
    peer.digest(Uint8Array.of(1, 5, 5), new Uint8Array(32))
    session.text.insert(0, 'x')
    await counted(1)
    expect(peer.heard.filter(([type, step]) => type === 0 && step === 0)).toEqual([])
  })
})
