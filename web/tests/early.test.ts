// @vitest-environment jsdom
import 'fake-indexeddb/auto'
import { IDBFactory } from 'fake-indexeddb'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type DocumentSession, openDocument, type SaveState } from '../src/sync/index'
import { Peer } from './support/peer'

let peer: Peer
let session: DocumentSession | undefined

beforeEach(async () => {
  globalThis.indexedDB = new IDBFactory()
  peer = await Peer.start()
})

afterEach(async () => {
  session?.destroy()
  delete window.coscribeSocket
  await peer.stop()
})

function open(): DocumentSession {
  session = openDocument('d', { role: 'editor', generation: 3, url: peer.url })
  return session
}

const saves = (opened: DocumentSession, state: SaveState): Promise<void> =>
  vi.waitFor(() => expect(opened.save.value).toBe(state))

describe('the socket that the page’s head has opened', () => {
  /** As the head of document.html does it. */
  async function opensEarly(asked: boolean) {
    const socket = new WebSocket(peer.url)
    socket.binaryType = 'arraybuffer'
    const early = {
      socket,
      asked,
      heard: [] as Event[],
      hear: (event: Event) => void early.heard.push(event),
    }
    for (const type of ['open', 'message', 'close']) socket.addEventListener(type, early.hear)
    window.coscribeSocket = early
    await vi.waitFor(() => expect(early.heard).toHaveLength(1))
    return early
  }

  test('is taken over with all that it heard, and what it asked is not asked again', async () => {
    peer.text.insert(0, 'from the server')
    const early = await opensEarly(true)
    peer.greet()
    await vi.waitFor(() => expect(early.heard).toHaveLength(3))
    const opened = open()
    peer.insert(0, 'more ')
    await vi.waitFor(() => expect(opened.text.toString()).toBe('more from the server'))
    await peer.hears(0x00, 0x01)
    peer.ack(1)
    await saves(opened, 'saved')
    expect(peer.heard.filter(([type, step]) => type === 0 && step === 0)).toEqual([])
    expect([peer.heard[0]?.[0], peer.connections, window.coscribeSocket]).toEqual([0x70, 1, undefined])
  })

  test('asks as any other where the head did not, and a later connection always does', async () => {
    await opensEarly(false)
    const opened = open()
    await peer.hears(0x00, 0x00)
    peer.greet()
    await peer.hears(0x00, 0x01)
    peer.ack(1)
    await saves(opened, 'saved')
    peer.hangUp()
    await saves(opened, 'offline')
    peer.heard = []
    opened.retryNow()
    await peer.hears(0x00, 0x00)
    expect(peer.connections).toBe(2)
  })

  test('ends as it ended before it was taken over', async () => {
    const early = await opensEarly(true)
    peer.hangUp(4404, 'no such document')
    await vi.waitFor(() => expect(early.heard).toHaveLength(2))
    const opened = open()
    await vi.waitFor(() =>
      expect(opened.connection.value).toMatchObject({ phase: 'closed', code: 4404, served: false }),
    )
    expect(peer.connections).toBe(1)
  })

  test('is left alone when it is another document’s', async () => {
    const early = await opensEarly(true)
    early.socket = { url: 'ws://127.0.0.1/ws/other' } as WebSocket
    open()
    await peer.hears(0x00, 0x00)
    expect(peer.connections).toBe(2)
  })
})
