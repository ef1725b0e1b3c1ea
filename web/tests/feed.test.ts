// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Feed } from '../src/read/feed'
import { SharedFeed } from '../src/read/shared'
import { type Asked, FarSide } from './support/far-side'
import { hide, Locks, share } from './support/windows'

/** The browser's own, played by hand. */
class Source extends EventTarget {
  static readonly OPEN = 1
  static readonly CLOSED = 2
  static all: Source[] = []
  readyState = 0
  onerror: (() => void) | null = null

  constructor(readonly url: string) {
    super()
    Source.all.push(this)
  }

  say(kind: string, data: unknown, id = ''): void {
    this.readyState = Source.OPEN
    this.dispatchEvent(new MessageEvent(kind, { data: JSON.stringify(data), lastEventId: id }))
  }

  /** Breaks; the browser comes back by itself unless `isOver`. */
  break(isOver = false): void {
    this.readyState = isOver ? 2 : 0
    this.onerror?.()
  }

  close(): void {
    this.readyState = 2
  }
}

let far: FarSide
let told: string[]
let feeds: { stop?: () => void }[]

const later = (seconds = 0.01): Promise<unknown> => vi.advanceTimersByTimeAsync(seconds * 1000)
const source = (): Source => Source.all.at(-1) as Source
const open = (): Source[] => Source.all.filter(({ readyState }) => readyState !== 2)
const polls = (): string[] => far.all.map(({ url }) => url.search.slice(1))
const last = (): Asked => far.all.at(-1) as Asked

const listener = (name = '') => ({
  onText: () => void told.push(`${name}text`),
  onTitle: () => {},
  onDeed: () => {},
  onPresence: () => {},
  onState: (state: string) => void (told.at(-1) !== `${name}${state}` && told.push(`${name}${state}`)),
})

async function follow(): Promise<Feed> {
  const feed = new Feed('/r/x/events', '1.0.0', listener())
  feeds.push(feed)
  feed.start()
  await later()
  return feed
}

/** A poll's answer, with so many texts. */
function brings(next: string, texts = 0): void {
  const events = Array.from({ length: texts }, () => ({ event: 'text', id: next, data: {} }))
  last().answer(200, JSON.stringify({ events, next, people: [] }))
}

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('EventSource', Source)
  localStorage.clear()
  share(new Locks())
  hide(false)
  far = new FarSide()
  Source.all = []
  told = []
  feeds = []
})

afterEach(async () => {
  for (const feed of feeds) feed.stop?.()
  await later(40)
  expect([vi.getTimerCount(), open()]).toEqual([0, []])
  vi.useRealTimers()
})

describe('a reader', () => {
  test('follows a stream', async () => {
    await follow()
    source().say('presence', { people: [] })
    source().say('text', {}, '1.1.0')
    expect([source().url, told, far.all]).toEqual(['/r/x/events?after=1.0.0', ['live', 'text'], []])
  })

  test('polls where a stream says nothing, tries one again after a minute, and remembers', async () => {
    await follow()
    source().readyState = Source.OPEN // its head came through
    await later(5)
    expect([open(), polls()]).toEqual([[], ['after=1.0.0&wait=0']])
    brings('1.1.0', 1)
    await later(0.2)
    expect([told, polls().at(-1)]).toEqual([['live', 'text'], 'after=1.1.0&wait=20'])
    await follow()
    expect(open()).toEqual([])
    await later(61)
    brings('1.1.0')
    far.all.at(-2)?.answer(200, JSON.stringify({ events: [], next: '1.1.0', people: [] }))
    await later(0.2)
    expect(open().length).toBeGreaterThan(0)
  })

  test('polls where a stream that was fine is kept back after it broke', async () => {
    await follow()
    source().say('presence', { people: [] })
    source().break()
    await later(8)
    expect([told, open(), polls()]).toEqual([['live', 'connecting'], [], ['after=1.0.0&wait=0']])
    brings('1.0.0')
    await later(1)
    // It is not tried again at once.
    expect([open(), polls().at(-1)]).toEqual([[], 'after=1.0.0&wait=20'])
  })

  test('goes back to the stream when the server is there again', async () => {
    await follow()
    source().say('presence', { people: [] })
    for (let failures = 0; failures < 3; failures++) {
      source().break()
      await later(2)
    }
    expect(open()).toEqual([])
    last().fail()
    await later(2.2)
    brings('1.0.0')
    await later()
    expect(open().length).toBe(1)
  })

  test('finds out that a quiet stream is dead', async () => {
    await follow()
    source().say('presence', { people: [] })
    await later(61)
    expect(polls()).toEqual(['after=1.0.0&wait=0'])
    brings('1.0.0')
    await later(60)
    expect(Source.all.length).toBe(1)
    brings('1.5.0', 1)
    await later()
    expect([Source.all.length, source().url]).toEqual([2, '/r/x/events?after=1.5.0'])
  })

  test('does not ask ten times a second where no poll is let wait', async () => {
    localStorage.setItem('coscribe.polls-until', String(Date.now() + 60_000))
    far.answers = asked => {
      asked.answer(200, JSON.stringify({ events: [], next: '1.0.0', people: [] }))
      return true
    }
    await follow()
    await later(20)
    expect(far.all.length).toBeLessThan(20)
  })

  test('waits for less where polls are cut', async () => {
    localStorage.setItem('coscribe.polls-until', String(Date.now() + 60_000))
    await follow()
    brings('1.0.0')
    await later(0.2)
    await later(10)
    last().fail()
    await later(0.2)
    expect(polls().at(-1)).toBe('after=1.0.0&wait=0')
    brings('1.0.0')
    await later(0.2)
    expect([polls().at(-1), told]).toEqual(['after=1.0.0&wait=5', ['live']])
  })

  test('is told by the server alone that nothing is shared any more', async () => {
    await follow()
    source().break(true)
    await later()
    last().answer(403, '<html>blocked')
    await later(2.1)
    source().break(true)
    await later()
    last().problem(404)
    await later()
    expect([told, open()]).toEqual([['connecting', 'gone'], []])
  })

  test('that was stopped begins nothing any more', async () => {
    const feed = await follow()
    source().break(true)
    await later()
    last().fail()
    feed.stop()
    await later(60)
    expect(Source.all.length).toBe(1)
  })

  test('with many others in this browser asks now and then, and listens when there is a seat', async () => {
    const leave = new AbortController()
    for (let seat = 0; seat < 4; seat++) {
      void navigator.locks.request(
        `coscribe seat ${seat}`,
        {},
        () => new Promise(resolve => leave.signal.addEventListener('abort', resolve)),
      )
    }
    await later()
    far.answers = () => {
      queueMicrotask(() => brings('1.0.0'))
      return true
    }
    await follow()
    await later(10)
    expect([Source.all.length, polls().length]).toEqual([0, 4])
    leave.abort()
    await later(4)
    expect(open().length).toBe(1)
  })
})

describe('several windows', () => {
  function window(name: string): SharedFeed {
    const feed = new SharedFeed('/r/x/events', '1.0.0', listener(name))
    feed.start()
    feeds.push({ stop: () => feed.stop() })
    return feed
  }

  test('hear from the one that is looked at, which goes on where the last one was', async () => {
    far.answers = asked => {
      asked.answer(200, JSON.stringify({ events: [], next: '1.0.0', people: [] }))
      return true
    }
    window('one ')
    await later()
    source().say('text', {}, '1.7.0')
    hide(true)
    window('two ')
    await later()
    expect(open().length).toBe(1)
    told = []
    source().say('text', {}, '1.8.0')
    await later()
    expect(told).toEqual(['one text', 'two text'])
    hide(false)
    document.dispatchEvent(new Event('visibilitychange'))
    await later()
    expect([open().length, source().url]).toEqual([1, '/r/x/events?after=1.8.0'])
  })
})
