// Viewers of a document's event stream (docs/protocol.md, "The feed"), who see letters that tell who typed them and when.
import { Line, turn } from './line.mjs'
import { now, Times } from './meter.mjs'
import { TOLD_EACH, told } from './typist.mjs'
import { until } from './waiting.mjs'

const CR = 13
// The newest events as they were read: all viewers of a document are sent the same bytes.
const REMEMBERED = 64

/** The characters of an event's text, as [typist, key modulo TOLD_EACH]. */
const letters = event => {
  const { ops } = JSON.parse(/^data: ?(.*)$/m.exec(event)[1])
  const inserted = ops.map(({ insert = '' }) => insert).join('')
  return Array.from(inserted, letter => told(letter.charCodeAt(0)))
}

class Remembered {
  constructor() {
    this.events = []
  }

  /** What these bytes say, read once. */
  read(bytes) {
    let found = this.events.find(event => event.bytes.equals(bytes))
    if (found === undefined) {
      const event = bytes.toString()
      const kind = /^event: ?(.*)$/m.exec(event)?.[1] ?? ''
      found = { bytes: Buffer.from(bytes), kind, letters: kind === 'text' ? letters(event) : [] }
      this.events.unshift(found)
      this.events.length = Math.min(this.events.length, REMEMBERED)
    }
    return found
  }
}

class Viewer extends Line {
  constructor(url, streams) {
    const { host, pathname, search } = new URL(url)
    super(url, `GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nAccept: text/event-stream\r\n\r\n`)
    this.wanted = '200'
    this.streams = streams
    this.next = new Int32Array(streams.typists)
    this.hasSnapshot = false
    this.event = Buffer.alloc(0)
  }

  opened() {}

  /** HTTP chunks (RFC 9112, 7.1). */
  take(all, from, end) {
    let at = from
    for (;;) {
      const line = all.subarray(at, end).indexOf('\r\n')
      if (line < 0) return at
      const size = Number.parseInt(all.latin1Slice(at, at + line), 16)
      const start = at + line + 2
      if (start + size + 2 > end) return at
      if (all[start + size] !== CR) throw new Error('not a chunk')
      if (size === 0) this.ended('the stream ended')
      else this.#events(all.subarray(start, start + size))
      at = start + size + 2
    }
  }

  #events(chunk) {
    let from = 0
    for (;;) {
      const blank = chunk.indexOf('\n\n', from)
      if (blank < 0) break
      const rest = chunk.subarray(from, blank)
      this.#hear(this.event.length ? Buffer.concat([this.event, rest]) : rest)
      this.event = Buffer.alloc(0)
      from = blank + 2
    }
    if (from < chunk.length) this.event = Buffer.concat([this.event, chunk.subarray(from)])
  }

  #hear(bytes) {
    const event = this.streams.remembered.read(bytes)
    if (event.kind === 'snapshot') {
      if (this.hasSnapshot) this.streams.snapshots++
      this.hasSnapshot = true
    } else if (event.kind === 'text') this.streams.count(this, event.letters)
  }
}

export class Streams {
  constructor({ url, streams, typists }) {
    this.url = url
    this.size = streams
    this.typists = typists
    this.remembered = new Remembered()
    this.viewers = []
    this.#zero()
  }

  #zero() {
    this.times = new Times()
    this.events = 0
    this.characters = 0
    this.missing = 0
    this.snapshots = 0
    this.due = () => Number.NaN
  }

  /** Open all streams, a hundred at a time. */
  async open() {
    const began = now()
    while (this.viewers.length < this.size) {
      const wave = Array.from(
        { length: Math.min(100, this.size - this.viewers.length) },
        () => new Viewer(this.url, this),
      )
      this.viewers.push(...wave)
      await until(() => wave.every(viewer => viewer.hasSnapshot || viewer.closed !== null))
      const lost = wave.find(viewer => !viewer.hasSnapshot)
      if (lost) throw new Error(`a viewer is not let in: ${lost.closed ?? 'no answer'}`)
    }
    return { streams: this.viewers.length, ms: now() - began }
  }

  /** Count from now on, by when each typist's key is due. */
  listen(due) {
    this.#zero()
    this.due = due
  }

  count(viewer, found) {
    this.events++
    for (const [typist, key] of found) {
      const next = viewer.next[typist]
      const ahead = (key - (next % TOLD_EACH) + TOLD_EACH) % TOLD_EACH
      this.missing += ahead
      this.characters++
      viewer.next[typist] = next + ahead + 1
      this.times.add(turn.time - this.due(typist, next + ahead))
    }
  }

  /** Whether every viewer has seen so many keys of each typist. */
  isOver(keys) {
    return this.viewers.every(viewer => viewer.closed !== null || viewer.next.every(next => next >= keys))
  }

  result(seconds) {
    const gone = this.viewers.map(viewer => viewer.closed).filter(why => why !== null)
    const { p50, p99, max } = this.times.summary()
    const { events, characters, missing, snapshots } = this
    const rates = { events_per_s: events / seconds, characters_per_s: characters / seconds }
    return {
      events,
      characters,
      ...rates,
      missing,
      snapshots,
      p50,
      p99,
      max,
      gone: gone.length,
      why: [...new Set(gone)],
    }
  }
}
