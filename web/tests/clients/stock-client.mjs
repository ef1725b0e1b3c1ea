// A stock y-websocket client, unchanged from npm, driven by JSON lines: one command a line in, one answer a line out.
// Usage: node stock-client.mjs <2|3|4> <ws://host/ws> <document id>
import { createInterface } from 'node:readline'
import WebSocket from 'ws'

const [major, url, room] = process.argv.slice(2)
const { WebsocketProvider } = await import({ 2: 'y-websocket2', 3: 'y-websocket', 4: '@y/websocket' }[major])
const { Doc } = await import(major === '4' ? '@y/y' : 'yjs')

const doc = new Doc()
const text = doc.getText('content')
const params = major === '4' ? { echo: '1' } : {}
const provider = new WebsocketProvider(url, room, doc, {
  WebSocketPolyfill: WebSocket,
  disableBc: true,
  params,
})

// Looks again whenever the document, the people or the connection changed.
const until = condition =>
  new Promise(resolve => {
    const look = () => {
      if (!condition()) return
      doc.off('update', look)
      provider.off('sync', look)
      provider.awareness.off('change', look)
      resolve()
    }
    doc.on('update', look)
    provider.on('sync', look)
    provider.awareness.on('change', look)
    look()
  })

const commands = {
  synced: async () => {
    await until(() => provider.synced)
    return text.toString()
  },
  insert: async ({ index, what }) => {
    text.insert(index, what)
    return text.toString()
  },
  remove: async ({ index, length }) => {
    text.delete(index, length)
    return text.toString()
  },
  await: async ({ expected }) => {
    await until(() => text.toString() === expected)
    return text.toString()
  },
  offline: async () => provider.disconnect(),
  online: async () => provider.connect(),
  name: async ({ name }) => provider.awareness.setLocalStateField('user', { name, color: '#123456' }),
  people: async ({ count }) => {
    const users = () => [...provider.awareness.getStates().values()].map(state => state.user?.name ?? null)
    await until(() => users().filter(name => name !== null).length >= count)
    return users()
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line)
  process.stdout.write(`${JSON.stringify((await commands[command](rest)) ?? null)}\n`)
}
provider.destroy()
process.exit(0)
