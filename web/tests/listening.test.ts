// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Listener, listen } from '../src/sync/listening'
import { type Asked, FarSide } from './support/far-side'
import { hide, Locks, share } from './support/windows'

const CLOSING = 0x74
const BASE = 'http://d'

let far: FarSide
let windows: { stop(): void }[]

/** A window with a session, and what it hears of it. */
function open(session: string) {
  const heard: string[] = []
  const listener: Listener = listen(BASE, 'd', session, {
    heard: frame => heard.push(`${frame[0]}`),
    alive: () => {},
    gone: (code, reason) => heard.push(`gone ${code} ${reason}`),
  })
  windows.push(listener)
  return { heard, listener, stop: () => listener.stop() }
}

const later = (seconds = 0.05): Promise<unknown> => vi.advanceTimersByTimeAsync(seconds * 1000)
const asked = (): Asked => far.all.at(-1) as Asked
const waitOf = (poll: Asked): string | null => poll.url.searchParams.get('wait')

/** Lets a session begin: its first frames come by polls, then there is a stream. */
async function begin(session = 'S1') {
  const window = open(session)
  await later()
  asked().brings(1)
  await later()
  asked().brings(2)
  await later()
  asked().stream()
  await later()
  return window
}

beforeEach(() => {
  vi.useFakeTimers()
  localStorage.clear()
  share(new Locks())
  hide(false)
  far = new FarSide()
  windows = []
})

afterEach(async () => {
  for (const window of windows) window.stop()
  await later(5)
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

describe('one window', () => {
  test('begins with polls, whose answers nothing keeps back, and goes on with a stream', async () => {
    const { heard, listener } = await begin()
    expect(far.all.map(({ what, sessions }) => `${what} ${sessions}`)).toEqual([
      'poll S1.0',
      'poll S1.1',
      'sse S1.2',
    ])
    asked().frame(3)
    await later()
    expect([heard, listener.kind]).toEqual([['1', '2', '3'], 'stream'])
  })

  test('a stream that breaks goes on behind what was heard, at once', async () => {
    const { heard } = await begin()
    asked().frame(3)
    await later(60)
    asked().fail()
    await later()
    expect(asked().sessions).toEqual(['S1.3'])
    asked().stream()
    asked().frame(4)
    await later()
    expect(heard).toEqual(['1', '2', '3', '4'])
  })

  test('a stream that ends at once, though not without a word, is not asked for at once again', async () => {
    const speaks = (stream: Asked): void => {
      stream.stream()
      stream.say(': hi\n\n')
      setTimeout(() => stream.end(), 5)
    }
    far.answers = request => {
      if (request.what === 'sse') speaks(request)
      else if (waitOf(request) === '15') return false
      else if (request.sessions[0] === 'S1.0') request.brings(0)
      else request.brings()
      return true
    }
    const { listener } = open('S1')
    await later(30)
    expect(far.all.length).toBeLessThan(30)
    expect(listener.kind).toBe('poll')
  })

  test('streams that are cut, where polls get through, are given up for a minute', async () => {
    far.answers = request => {
      if (request.what === 'sse') request.fail()
      else if (waitOf(request) === '15') return false
      else request.brings()
      return true
    }
    const { heard, listener } = open('S1')
    await later(5)
    expect([listener.kind, asked().what, waitOf(asked())]).toEqual(['poll', 'poll', '15'])
    expect(far.all.filter(({ what }) => what === 'sse').length).toBe(2)
    expect(heard).toEqual([])
  })

  test('a server that is away, and cuts all, is not taken for one whose streams are cut', async () => {
    far.answers = request => {
      if (far.all.length > 2) request.fail()
      else request.brings(far.all.length)
      return true
    }
    const { heard, listener } = open('S1')
    await later(5)
    let isBack = false
    const comesBack = (request: Asked): void => {
      if (request.what === 'poll') {
        isBack = true
        request.brings()
      } else if (isBack) {
        request.stream()
        request.frame(3)
      } else request.fail()
    }
    far.answers = request => {
      comesBack(request)
      return true
    }
    await later(6)
    expect([heard.at(-1), listener.kind]).toEqual(['3', 'stream'])
  })

  test('polls that are answered at once, with nothing, are asked for ever less often', async () => {
    far.answers = request => {
      if (request.what === 'poll') request.brings()
      return request.what === 'poll'
    }
    open('S1')
    await later()
    const before = far.all.length
    await later(20)
    expect(far.all.length - before).toBeLessThan(30)
  })

  test('a stream that is kept back makes room for polls, and is tried again after a minute', async () => {
    const { heard, listener } = open('S1')
    far.answers = request => {
      if (request.what === 'poll' && waitOf(request) === '2') request.brings(1)
      return false
    }
    await later()
    expect(asked().what).toBe('sse')
    await later(2.5)
    expect([asked().what, waitOf(asked()), listener.kind]).toEqual(['poll', '15', 'stream'])
    asked().brings(3)
    await later()
    expect([heard, listener.kind]).toEqual([['1', '1', '3'], 'poll'])
    far.answers = () => false
    await later(61)
    expect(asked().what).toBe('poll')
    asked().brings()
    await later()
    expect(asked().what).toBe('sse')
  })

  test('the next page knows that streams are kept back', async () => {
    localStorage.setItem('coscribe.polls-until', String(Date.now() + 60_000))
    open('S1')
    await later()
    asked().brings(1)
    await later()
    asked().brings(2)
    await later()
    expect(asked().what).toBe('poll')
  })

  test('a stream that brings nothing where something is expected is kept back too', async () => {
    const { listener } = await begin()
    await later(10)
    listener.expect()
    await later(2.5)
    expect(asked().what).toBe('poll')
  })

  test('a stream that has died is made anew, and one that stops again is kept back', async () => {
    const { heard, listener } = await begin()
    asked().frame(3)
    await later(10)
    const dead = asked()
    listener.expect()
    await later(2.5)
    expect([dead.isAborted, asked().what, asked().sessions]).toEqual([true, 'sse', ['S1.3']])
    asked().stream()
    asked().frame(4)
    await later(10)
    listener.expect()
    await later(2.5)
    expect([asked().what, asked().sessions, heard]).toEqual(['poll', ['S1.4'], ['1', '2', '3', '4']])
  })

  test('a poll that has died is made anew', async () => {
    localStorage.setItem('coscribe.polls-until', String(Date.now() + 600_000))
    const { listener } = open('S1')
    for (const byte of [1, 2]) {
      await later()
      asked().brings(byte)
    }
    await later(1)
    const dead = asked()
    listener.expect()
    await later(2.5)
    expect([dead.isAborted, asked().what, asked() === dead]).toEqual([true, 'poll', false])
  })

  test('a filter that knows no streams gets polls', async () => {
    open('S1')
    await later()
    asked().brings(1)
    await later()
    asked().brings(2)
    await later()
    asked().answer(403, 'forbidden')
    await later()
    expect(asked().what).toBe('poll')
  })

  test('polls that are cut become shorter, and their session lives on', async () => {
    localStorage.setItem('coscribe.polls-until', String(Date.now() + 600_000))
    const { heard } = open('S1')
    await later()
    asked().brings(1)
    await later()
    asked().brings(2)
    await later()
    expect(waitOf(asked())).toBe('15')
    await later(10)
    asked().fail()
    await later(0.3)
    expect(waitOf(asked())).toBe('0')
    asked().brings()
    await later(0.3)
    expect(waitOf(asked())).toBe('5')
    expect(heard).toEqual(['1', '2'])
  })

  test('a line that was quiet for long and breaks is not a server that is away', async () => {
    const { heard } = await begin()
    await later(14)
    asked().fail()
    await later()
    asked().fail()
    await later(1)
    asked().stream()
    await later(20)
    expect(heard).toEqual(['1', '2'])
  })

  test('a server that does not answer for 12 seconds is away', async () => {
    const { heard } = await begin()
    far.answers = request => {
      request.fail()
      return true
    }
    asked().fail()
    await later(11)
    expect(heard.length).toBe(2)
    await later(6)
    expect(heard.slice(2)).toEqual(['gone 1006 The server does not answer'])
    expect(far.all.length).toBeLessThan(15)
  })

  test('something that answers at once and brings nothing is not asked in a loop', async () => {
    await begin()
    far.answers = request => {
      request.stream()
      request.end()
      return true
    }
    asked().end()
    await later(5)
    expect(far.all.length).toBeLessThan(12)
  })

  test('a session that the server does not know is gone', async () => {
    const { heard } = await begin()
    asked().end()
    await later(0.5)
    asked().problem(404)
    await later()
    expect(heard.slice(2)).toEqual(['gone 1001 The session has ended'])
  })

  test('in a browser that offers neither locks nor channels', async () => {
    vi.stubGlobal('BroadcastChannel', undefined)
    const { heard } = await begin()
    expect(heard).toEqual(['1', '2'])
    const refused = { request: () => Promise.reject(new DOMException('refused', 'SecurityError')) }
    share(refused as unknown as Locks)
    expect((await begin('S2')).heard).toEqual(['1', '2'])
  })

  test('with many documents open asks now and then, so that requests find a connection', async () => {
    for (let seat = 0; seat < 4; seat++) {
      void navigator.locks.request(`coscribe seat ${seat}`, {}, () => new Promise(() => {}))
    }
    far.answers = request => {
      if (request.what !== 'poll') return false
      setTimeout(() => request.brings(), Number(waitOf(request)) * 1000)
      return true
    }
    const { listener } = open('S1')
    await later(31.5)
    expect(far.of('sse')).toEqual([])
    const asked = far.all.length
    expect(asked).toBeGreaterThan(8)
    expect(asked).toBeLessThan(14)
    // What is typed is answered at once all the same.
    listener.expect()
    await later()
    expect([far.all.length, listener.kind]).toEqual([asked + 1, 'poll'])
    listener.stop()
    await later(2)
  })

  test('stopped while it waits', async () => {
    const window = open('S1')
    window.stop()
    await later(1)
    expect(far.all).toEqual([])
  })
})

describe('several windows', () => {
  test('share one stream', async () => {
    const one = await begin('S1')
    hide(true)
    const two = open('S2')
    await later()
    expect(asked().sessions).toEqual(['S1.2', 'S2.0'])
    asked().answer(200, Uint8Array.of(1, 1, 7, 0, 1, 3), { 'Content-Type': 'application/octet-stream' })
    await later()
    asked().brings()
    await later(0.5)
    asked().stream()
    asked().frame(8, 1, 2)
    await later()
    expect([one.heard, two.heard]).toEqual([
      ['1', '2', '3'],
      ['7', '8'],
    ])
    expect(far.of('sse').filter(({ isAborted }) => !isAborted).length).toBe(1)
  })

  test('another one goes on where the one that listens is closed', async () => {
    const one = await begin('S1')
    hide(true)
    const two = open('S2')
    await later()
    one.stop()
    await later()
    expect(asked().sessions).toEqual(['S2.0'])
    asked().brings(5)
    await later()
    expect(two.heard).toEqual(['5'])
  })

  test('the one that is looked at listens, from where all have heard', async () => {
    await begin('S1')
    open('S2')
    await later()
    expect(asked().sessions).toEqual(['S2.0', 'S1.2'])
  })

  test('one that does not hear is overtaken', async () => {
    hide(true)
    await begin('S1')
    const two = open('S2')
    await later()
    // It got the turn and then nothing more: no answer, no word.
    const before = asked()
    two.listener.expect()
    await later(3.9)
    expect(asked()).toBe(before)
    await later(0.2)
    expect([before.isAborted, asked().sessions]).toEqual([true, ['S2.0', 'S1.2']])
  })

  test('a window that is gone without a word is not listened for any more', async () => {
    await begin('S1')
    const dead = new BroadcastChannel(`coscribe ${BASE} d`)
    dead.postMessage({ word: 'here', session: 'S9', position: 4 })
    await later()
    expect(asked().sessions).toEqual(['S1.2', 'S9.4'])
    asked().stream()
    dead.close()
    await later(121)
    expect(asked().sessions).toEqual(['S1.2'])
  })

  test('a session that has ended is not asked for again', async () => {
    const one = await begin('S1')
    hide(true)
    open('S2')
    await later()
    asked().answer(200, Uint8Array.of(1, 1, CLOSING), { 'Content-Type': 'application/octet-stream' })
    await later()
    expect(asked().sessions).toEqual(['S1.2'])
    expect(one.heard).toEqual(['1', '2'])
  })

  test('what comes twice counts once, and a gap begins the session anew', async () => {
    hide(true)
    const one = await begin('S1')
    const other = new BroadcastChannel(`coscribe ${BASE} d`)
    const tell = (number: number): void =>
      other.postMessage({ word: 'frame', session: 'S1', number, frame: Uint8Array.of(number) })
    for (const number of [2, 3, 3]) tell(number)
    await later()
    expect(one.heard).toEqual(['1', '2', '3'])
    tell(5)
    await later()
    expect(one.heard.slice(3)).toEqual(['gone 1006 Something was lost between two windows'])
    other.close()
  })

  test('more of them than the server reads together take turns', async () => {
    hide(true)
    await begin('S0')
    for (let number = 1; number < 40; number++) open(`S${number}`)
    await later()
    const seen = new Set<string | undefined>()
    for (let round = 0; round < 4; round++) {
      expect(asked().sessions.length).toBe(32)
      for (const session of asked().sessions) seen.add(session.split('.')[0])
      asked().brings(1)
      await later()
    }
    expect(seen.size).toBe(40)
  })
})
