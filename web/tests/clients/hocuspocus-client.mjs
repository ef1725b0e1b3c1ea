// A stock Hocuspocus provider, unchanged from npm, driven by JSON lines: one command a line in, one answer a line out.
// Usage: node hocuspocus-client.mjs <3|4> <ws://host/hocuspocus> <document id>[,<document id>...] [token]
import { createInterface } from 'node:readline'
import WebSocket from 'ws'
import * as Y from 'yjs'

const [major, url, names, token = ''] = process.argv.slice(2)
const { HocuspocusProvider, HocuspocusProviderWebsocket } = await import(
  major === '3' ? '@hocuspocus/provider3' : '@hocuspocus/provider'
)

const websocketProvider = new HocuspocusProviderWebsocket({
  url,
  WebSocketPolyfill: WebSocket,
  delay: 100,
  minDelay: 100,
  maxDelay: 500,
})
const events = new EventTarget()
const changed = () => events.dispatchEvent(new Event('change'))
websocketProvider.on('disconnect', changed)

const opened = names.split(',').map(name => {
  const doc = new Y.Doc()
  const state = { doc, text: doc.getText('content'), scope: null, denied: null, closed: [] }
  const told = key => value => {
    state[key] = value
    changed()
  }
  state.provider = new HocuspocusProvider({
    name,
    document: doc,
    token,
    websocketProvider,
    // Of version 4: the address has a session behind the name.
    ...(major === '4' ? { sessionAwareness: true } : {}),
    onAuthenticated: ({ scope }) => told('scope')(scope ?? state.provider.authorizedScope),
    onAuthenticationFailed: ({ reason }) => told('denied')(reason),
    onSynced: changed,
    onUnsyncedChanges: changed,
    onAwarenessChange: changed,
    onClose: ({ event }) => {
      state.closed.push(event.reason)
      changed()
    },
  })
  state.provider.attach()
  doc.on('update', changed)
  return state
})

/** Looks again whenever something has changed. */
const until = condition =>
  new Promise(resolve => {
    const look = () => {
      if (!condition()) return
      events.removeEventListener('change', look)
      resolve()
    }
    events.addEventListener('change', look)
    look()
  })

const commands = {
  synced: async ({ provider, text }) => {
    await until(() => provider.isSynced)
    return text.toString()
  },
  saved: async ({ provider, text }) => {
    await until(() => !provider.hasUnsyncedChanges)
    return text.toString()
  },
  unsynced: async ({ provider }) => provider.unsyncedChanges,
  insert: async ({ text }, { index, what }) => {
    text.insert(index, what)
    return text.toString()
  },
  remove: async ({ text }, { index, length }) => {
    text.delete(index, length)
    return text.toString()
  },
  map: async ({ doc }) => doc.getMap('other').set('key', 'value'),
  await: async ({ text }, { expected }) => {
    await until(() => text.toString() === expected)
    return text.toString()
  },
  scope: async state => {
    await until(() => state.scope !== null)
    return state.scope
  },
  denied: async state => {
    await until(() => state.denied !== null)
    return state.denied
  },
  closed: async state => {
    await until(() => state.closed.length > 0)
    return state.closed
  },
  // Before the socket is closed, connecting again would do nothing.
  offline: async () => {
    websocketProvider.disconnect()
    await until(() => websocketProvider.status === 'disconnected')
  },
  online: async () => void websocketProvider.connect(),
  detach: async ({ provider }) => provider.detach(),
  name: async ({ provider }, { name }) => provider.setAwarenessField('user', { name, color: '#123456' }),
  people: async ({ provider }, { count }) => {
    const users = () => [...provider.awareness.getStates().values()].map(state => state.user?.name ?? null)
    await until(() => users().filter(name => name !== null).length >= count)
    return users()
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const { command, at = 0, ...rest } = JSON.parse(line)
  process.stdout.write(`${JSON.stringify((await commands[command](opened[at], rest)) ?? null)}\n`)
}
process.exit(0)
