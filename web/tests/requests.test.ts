// @vitest-environment jsdom
import * as encoding from 'lib0/encoding'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { overRequests } from '../src/sync/over-requests'
import { openRequests } from '../src/sync/requests'
import { type Asked, FarSide } from './support/far-side'
import { hide, Locks, share } from './support/windows'

const UPDATE = 0x00
const AWARENESS = 0x01
const LISTENS = ['sse', 'poll']

let far: FarSide
let told: string[]
let carrier: ReturnType<typeof openRequests>

const later = (seconds = 0.05): Promise<unknown> => vi.advanceTimersByTimeAsync(seconds * 1000)
const posts = (): Asked[] => far.of('frames')
const numbers = (): (string | null)[] => posts().map(({ n }) => n)
const send = (first: number, size = 2): boolean => carrier.send(new Uint8Array(size).fill(first))

function open(): void {
  carrier = openRequests('http://d', 'd', {
    opened: () => told.push('opened'),
    heard: frame => told.push(`${frame[0]}`),
    alive: () => {},
    closed: (code, reason, afterMs) => told.push(`closed ${code} ${reason} ${afterMs || ''}`.trim()),
  })
}

/** The last frame of a session. */
const closing = (code: number, reason: string): Uint8Array =>
  encoding.encode(encoder => {
    encoding.writeVarUint(encoder, 0)
    encoding.writeVarUint8Array(
      encoder,
      encoding.encode(inner => {
        encoding.writeVarUint(inner, 0x74)
        encoding.writeVarUint(inner, code)
        encoding.writeVarString(inner, reason)
      }),
    )
  })

const leavePage = (persisted: boolean): void => {
  window.dispatchEvent(Object.assign(new Event('pagehide'), { persisted }))
}

beforeEach(() => {
  vi.useFakeTimers()
  localStorage.clear()
  share(new Locks())
  hide(false)
  far = new FarSide()
  told = []
})

afterEach(async () => {
  carrier?.close()
  await later(5)
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

describe('what is typed', () => {
  beforeEach(async () => {
    open()
    await later()
    expect(told).toEqual(['opened'])
  })

  test('goes in numbered requests, one after the other, what waits together', async () => {
    far.answers = ({ what }) => what === 'frames'
    for (const byte of [10, 11]) send(byte)
    await later()
    for (const byte of [12, 13]) send(byte)
    await later(1)
    expect(posts().map(({ frames }) => frames)).toEqual([[10, 11]])
    posts()[0]?.answer(204)
    await later()
    expect(posts().map(({ n, frames }) => [n, frames])).toEqual([
      ['1', [10, 11]],
      ['2', [12, 13]],
    ])
  })

  test('goes again under the same number where the answer is lost', async () => {
    far.answers = ({ what }) => what === 'frames'
    send(10)
    await later()
    posts()[0]?.fail()
    send(11)
    await later(0.3)
    expect(posts().map(({ n, frames }) => [n, frames])).toEqual([
      ['1', [10]],
      ['1', [10]],
    ])
    posts()[1]?.answer(204)
    await later()
    expect(numbers()).toEqual(['1', '1', '2'])
  })

  test('goes again where nobody answers in time, and the line is given up at last', async () => {
    far.answers = ({ what }) => what === 'frames'
    send(10)
    await later(10.3)
    expect([numbers(), posts()[0]?.isAborted]).toEqual([['1', '1'], true])
    await later(40)
    expect(told.slice(1)).toEqual(['closed 1006 The server does not answer'])
    expect(send(11)).toBe(false)
  })

  test('has more time where it is large', async () => {
    far.answers = ({ what }) => what === 'frames'
    send(10, 400_000)
    await later(55)
    expect([numbers(), posts()[0]?.isAborted]).toEqual([['1'], false])
  })

  test('waits for as long as the server says', async () => {
    far.answers = asked => {
      if (asked.what !== 'frames') return false
      asked.problem(503, 'Later.', { 'Retry-After': '6' })
      return true
    }
    send(10)
    await later(5.9)
    expect(numbers()).toEqual(['1'])
    await later(0.2)
    expect(numbers()).toEqual(['1', '1'])
  })

  test('goes in pieces where it is too much at once', async () => {
    far.answers = asked => {
      if (asked.what !== 'frames' || asked.frames.length < 2) return false
      asked.answer(413)
      return true
    }
    for (const byte of [10, 11, 12]) send(byte)
    await later()
    expect(posts().map(({ n, frames }) => [n, frames])).toEqual([
      ['1', [10, 11, 12]],
      ['1', [10]],
      ['2', [11]],
      ['3', [12]],
    ])
  })

  test('that is too much alone is told so', async () => {
    far.answers = asked => {
      if (asked.what === 'frames') asked.problem(413)
      return asked.what === 'frames'
    }
    send(10)
    await later()
    expect(told.slice(1)).toEqual(['closed 1009 It is more than the server takes at once'])
    // The server knows nothing of it: its session would wait there for a minute.
    expect(far.all.at(-1)?.what).toBe('sessions')
  })

  // What a proxy says ends nothing for good, and is not asked about again and again.
  test.each([400, 403, 404, 413])(
    'is kept for a while where something on the way answers %i',
    async status => {
      far.answers = asked => {
        if (asked.what === 'frames') asked.answer(status, '<html>')
        return asked.what === 'frames'
      }
      send(10)
      await later()
      expect(told.slice(1)).toEqual([`closed 1006 What was sent was refused (${status}) 30000`])
    },
  )

  test('hears why the session is over where only a 404 comes of it', async () => {
    far.answers = asked => {
      if (asked.what === 'frames') asked.problem(404)
      return asked.what === 'frames'
    }
    send(10)
    await later()
    const octets = { 'Content-Type': 'application/octet-stream' }
    const body = closing(4404, 'It is in the trash.') as Uint8Array<ArrayBuffer>
    far.all.findLast(({ what }) => LISTENS.includes(what))?.answer(200, body, octets)
    await later(2)
    expect(told.slice(1)).toEqual(['closed 4404 It is in the trash.'])
  })

  test('begins a new session where the server knows this one no more', async () => {
    far.answers = asked => {
      if (asked.what === 'frames') asked.problem(404)
      return asked.what === 'frames'
    }
    send(10)
    await later(1.1)
    expect(told.slice(1)).toEqual(['closed 1001 The session has ended'])
  })

  test('of carets that wait only the newest is told', async () => {
    far.answers = ({ what }) => what === 'frames'
    send(UPDATE)
    await later()
    for (let moves = 0; moves < 100; moves++) send(AWARENESS)
    send(UPDATE)
    for (let moves = 0; moves < 100; moves++) send(AWARENESS)
    posts()[0]?.answer(204)
    await later()
    expect(posts()[1]?.frames).toEqual([AWARENESS, UPDATE, AWARENESS])
  })
})

describe('a page that goes', () => {
  beforeEach(async () => {
    open()
    await later()
    far.answers = ({ what }) => what === 'frames'
  })

  test('sends what is left, and what may not have arrived once more', async () => {
    send(10)
    await later()
    send(11)
    leavePage(false)
    expect(posts().map(({ n, frames, keepalive }) => [n, frames, keepalive])).toEqual([
      ['1', [10], false],
      ['1', [10], true],
      ['2', [11], true],
    ])
    expect(posts()[2]?.url.searchParams.get('last')).toBe('true')
    expect(send(12)).toBe(false)
    posts()[0]?.fail()
    await later(60)
    expect(posts().length).toBe(3)
  })

  test('ends its session where nothing is left', () => {
    leavePage(false)
    expect(posts().map(({ n, frames }) => [n, frames])).toEqual([['1', []]])
  })

  test('ends its session where too much is left to outlive it', () => {
    send(10, 100_000)
    leavePage(false)
    expect([far.of('sessions', 'DELETE').length, posts()]).toEqual([1, []])
  })

  test('that is only kept for a while ends nothing', () => {
    leavePage(true)
    expect([far.of('sessions', 'DELETE'), posts()]).toEqual([[], []])
  })
})

describe('a session', () => {
  test('that was closed while it began is ended there', async () => {
    far.answers = ({ what }) => what === 'sessions'
    open()
    carrier.close()
    far.last('sessions').answer(201, JSON.stringify({ session: 'S1' }))
    await later()
    expect(far.of('sessions', 'DELETE').map(({ sessions }) => sessions)).toEqual([['S1']])
    expect([told, far.of('poll')]).toEqual([[], []])
  })

  test('that nobody answers about is given up', async () => {
    far.answers = () => true
    open()
    await later(10)
    expect(told).toEqual(['closed 1006 The server does not answer'])
    expect(far.last('sessions').isAborted).toBe(true)
  })

  test('is refused by the server’s own word for good, and by a firewall’s for now', async () => {
    const answers: [(asked: Asked) => void, string][] = [
      [asked => asked.problem(404, 'There is no such document.'), 'closed 4404 There is no such document.'],
      [asked => asked.problem(401, 'Who are you?'), 'closed 4401 Who are you?'],
      [asked => asked.problem(409, 'It is in the trash.'), 'closed 4404 It is in the trash.'],
      [asked => asked.problem(403, 'Not from there.'), 'closed 1006 Not from there.'],
      [asked => asked.problem(503, 'Full.', { 'Retry-After': '4' }), 'closed 1013 Full. 4000'],
      [asked => asked.answer(404, '<html>'), 'closed 1006 Something on the way answers 404'],
      [asked => asked.answer(403, 'blocked'), 'closed 1006 Something on the way answers 403'],
      [asked => asked.answer(200, '<html>'), 'closed 1006 Something on the way answers 200'],
      [asked => asked.fail(), 'closed 1006 The server does not answer'],
    ]
    for (const [answer, words] of answers) {
      told = []
      far.answers = ({ what }) => what === 'sessions'
      open()
      answer(far.last('sessions'))
      await later()
      expect(told).toEqual([words])
    }
  })

  test('ends as the server says, and is not ended there again', async () => {
    open()
    await later()
    const octets = { 'Content-Type': 'application/octet-stream' }
    far
      .last('poll')
      .answer(200, closing(4403, 'Your access was taken away.') as Uint8Array<ArrayBuffer>, octets)
    await later()
    expect(told.slice(1)).toEqual(['closed 4403 Your access was taken away.'])
    expect(far.of('sessions', 'DELETE')).toEqual([])
    const before = far.all.length
    await later(60)
    expect(far.all.slice(before).filter(({ what }) => LISTENS.includes(what))).toEqual([])
  })

  test('that was closed sends and asks no more', async () => {
    open()
    await later()
    far.answers = ({ what }) => what === 'frames'
    send(10)
    await later()
    carrier.close()
    expect([posts()[0]?.isAborted, far.last('poll').isAborted]).toEqual([true, true])
    const before = far.all.length
    await later(60)
    expect(far.all.length).toBe(before)
  })
})

test('code that comes late is not begun with any more', async () => {
  const opener = overRequests('http://d', 'd')
  const late = opener({
    opened: () => told.push('opened'),
    heard: () => {},
    alive: () => {},
    closed: () => {},
  })
  late.close()
  await vi.dynamicImportSettled()
  await later()
  expect([told, far.all]).toEqual([[], []])
})
