// npm's `eventsource`, unchanged: prints each event of a stream as a line of JSON, until it is ended.
// Usage: node eventsource-client.mjs <url>
import { EventSource } from 'eventsource'

const source = new EventSource(process.argv[2])
for (const kind of ['snapshot', 'text', 'activity', 'presence']) {
  source.addEventListener(kind, event =>
    process.stdout.write(`${JSON.stringify([kind, event.lastEventId, JSON.parse(event.data)])}\n`),
  )
}
source.addEventListener('error', () => process.stdout.write(`${JSON.stringify(['error', '', null])}\n`))
