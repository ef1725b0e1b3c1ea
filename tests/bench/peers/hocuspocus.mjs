// Hocuspocus as its documentation starts it: `node hocuspocus.mjs PORT [SQLITE_FILE]`.
import { SQLite } from '@hocuspocus/extension-sqlite'
import { Server } from '@hocuspocus/server'

const [port, database] = process.argv.slice(2)
const extensions = database === undefined ? [] : [new SQLite({ database })]
await new Server({ address: '127.0.0.1', port: Number(port), quiet: true, extensions }).listen()
