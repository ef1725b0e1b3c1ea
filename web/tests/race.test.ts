// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Carrier, CarrierEvents } from '../src/sync/carrier'
import { Race } from '../src/sync/race'

/** Frames by their first byte. */
const STEP = 0x00
const AWARENESS = 0x01
const QUERY = 0x03
const HELLO = 0x70
const UPDATE = 0x02

/** A carrier whose other side is played by hand. */
class Played implements Carrier {
  sent: number[] = []
  isOpen = false
  isClosed = false

  constructor(
    readonly kind: 'socket' | 'stream',
    readonly events: CarrierEvents,
  ) {}

  open(isAsked = false): void {
    this.isOpen = true
    this.events.opened(isAsked)
  }

  say(byte: number): void {
    this.events.heard(Uint8Array.of(byte))
  }

  /** The whole of a first exchange. */
  settle(): void {
    this.open()
    this.say(STEP)
    race.settled()
  }

  fail(code = 1006, reason = ''): void {
    this.isOpen = false
    this.events.closed(code, reason)
  }

  send(frame: Uint8Array): boolean {
    if (!this.isOpen) return false
    this.sent.push(frame[0] ?? -1)
    return true
  }

  close(): void {
    this.isClosed = true
    this.isOpen = false
  }
}

let sockets: Played[]
let requests: Played[]
let heard: string[]
let race: Race

const socket = (): Played => sockets.at(-1) as Played
const other = (): Played => requests.at(-1) as Played
const later = (seconds: number): void => void vi.advanceTimersByTime(seconds * 1000)

function begin(): void {
  sockets = []
  requests = []
  heard = []
  race = new Race(
    {
      socket: events => {
        sockets.push(new Played('socket', events))
        return socket()
      },
      requests: events => {
        requests.push(new Played('stream', events))
        return other()
      },
    },
    {
      opened: isAsked => {
        heard.push(isAsked ? 'opened, asked' : 'opened')
        // What a conversation does at once.
        race.send(Uint8Array.of(HELLO))
      },
      message: frame => heard.push(`${frame[0]}`),
      alive: () => {},
      changed: () => {},
      lost: () => heard.push('lost'),
      ended: (code, reason, afterMs) => heard.push(`ended ${code} ${reason} ${afterMs || ''}`.trim()),
    },
  )
  race.begin()
}

beforeEach(() => {
  vi.useFakeTimers()
  localStorage.clear()
  begin()
})

afterEach(() => {
  race.destroy()
  vi.useRealTimers()
})

describe('where WebSockets get through', () => {
  test('the socket carries, and nothing else is tried', () => {
    socket().open(true)
    socket().say(STEP)
    race.settled()
    later(600)
    expect(heard).toEqual(['opened, asked', '0'])
    expect(requests).toEqual([])
    expect([race.carrier, race.detour]).toEqual([socket(), null])
  })

  test('a socket that is silent behind what was sent is asked, and has a rival when it does not answer', () => {
    socket().settle()
    race.send(Uint8Array.of(UPDATE))
    later(1.5)
    expect(socket().sent).toEqual([HELLO, UPDATE, QUERY])
    later(1.4)
    expect(requests).toEqual([])
    later(0.1)
    expect(requests.length).toBe(1)
    // It was only slow.
    socket().say(AWARENESS)
    expect(other().isClosed).toBe(true)
    expect(heard).toEqual(['opened', '0', '1'])
  })

  test('a server that has nothing to say keeps its socket', () => {
    socket().settle()
    race.send(Uint8Array.of(UPDATE))
    later(1.5)
    socket().say(AWARENESS)
    later(60)
    expect([requests, race.carrier]).toEqual([[], socket()])
  })

  test('a text that is long on its way is not begun anew', () => {
    socket().open()
    socket().say(STEP)
    race.send(Uint8Array.of(STEP))
    later(9.9)
    expect(requests).toEqual([])
  })

  test('a socket that ends after it was heard ends the attempt', () => {
    socket().settle()
    socket().fail()
    expect(heard).toEqual(['opened', '0', 'ended 1006 The connection broke'])
    expect(requests).toEqual([])
  })

  test('what the server itself refuses is not asked for by requests', () => {
    socket().fail(1013, 'Too many connections are open.')
    expect(heard).toEqual(['ended 1013 Too many connections are open.'])
    expect(requests).toEqual([])
  })
})

describe('where they do not', () => {
  test('a refused upgrade brings requests at once', () => {
    socket().fail()
    expect(requests.length).toBe(1)
    other().open()
    expect(race.carrier).toBe(undefined)
    other().say(STEP)
    expect(heard).toEqual(['opened', '0'])
    expect(other().sent).toEqual([HELLO])
    expect([race.carrier, race.detour]).toEqual([
      other(),
      { why: 'refused', triedAgainAt: Date.now() + 30_000 },
    ])
  })

  test('a server that is away is away by requests too, for as long as it says', () => {
    socket().fail()
    other().events.closed(1013, 'nobody has a place', 7_000)
    expect(heard).toEqual(['ended 1013 nobody has a place 7000'])
  })

  test('a socket that opens and says nothing is overtaken, and greeted anew', () => {
    socket().open()
    later(3)
    other().open()
    expect(heard).toEqual(['opened'])
    other().say(STEP)
    expect(heard).toEqual(['opened', 'lost', 'opened', '0'])
    expect(socket().isClosed).toBe(true)
    socket().say(9)
    socket().fail()
    expect(heard.length).toBe(4)
    expect([other().sent, race.detour?.why]).toEqual([[HELLO], 'silent'])
  })

  test('a socket that brings others’ carets and takes nothing is overtaken too', () => {
    socket().open()
    socket().say(STEP)
    race.send(Uint8Array.of(STEP))
    for (let seconds = 0; seconds < 10; seconds++) {
      socket().say(AWARENESS)
      later(1)
    }
    // Until the rival is heard, more of them come.
    other().open()
    socket().say(AWARENESS)
    expect(other().isClosed).toBe(false)
    other().say(STEP)
    expect(race.carrier).toBe(other())
  })

  test('a slow detour does not have a socket tried with each letter', () => {
    socket().fail()
    other().settle()
    const before = sockets.length
    for (let letters = 0; letters < 6; letters++) {
      race.send(Uint8Array.of(UPDATE))
      later(3.5)
      other().say(AWARENESS)
    }
    expect(sockets.length).toBe(before)
  })

  test('requests that something refuses make way for a socket that is on its way', () => {
    socket().fail()
    other().settle()
    race.tryAgain()
    other().events.closed(1006, 'refused (413)', 30_000)
    socket().open()
    socket().say(STEP)
    expect(heard).toEqual(['opened', '0', 'lost', 'opened', '0'])
    expect([race.carrier, race.detour]).toEqual([socket(), null])
  })

  test('the time that is told is never past, however long the text is on its way', () => {
    socket().fail()
    other().open()
    other().say(STEP)
    for (let seconds = 0; seconds < 100; seconds += 7) {
      expect(race.detour?.triedAgainAt).toBeGreaterThanOrEqual(Date.now())
      later(7)
    }
  })

  test('a socket that only seemed to work is not taken for the end of the detour', () => {
    socket().fail()
    other().settle()
    later(30)
    socket().open()
    socket().say(STEP)
    race.send(Uint8Array.of(STEP))
    later(10)
    other().settle()
    expect(race.detour?.triedAgainAt).toBe(Date.now() + 60_000)
  })

  test('a final code is final, whoever says it', () => {
    for (const who of [socket, other]) {
      race.destroy()
      begin()
      socket().open()
      later(3)
      who().fail(4404, 'There is no such document.')
      expect(heard.at(-1)).toBe('ended 4404 There is no such document.')
      expect([socket().isClosed, other().isClosed, race.carrier]).toEqual([true, true, undefined])
    }
  })

  test('the socket is tried again after 30 seconds, then ever less often', () => {
    socket().fail()
    other().settle()
    for (const [number, seconds] of [30, 60, 120, 240].entries()) {
      later(seconds - 0.001)
      expect(sockets.length).toBe(number + 1)
      later(0.001)
      expect(sockets.length).toBe(number + 2)
      socket().fail()
    }
    later(480)
    socket().settle()
    expect(heard).toEqual(['opened', '0', 'lost', 'opened', '0'])
    expect(other().isClosed).toBe(true)
  })

  test('a text that is on its way by requests is not begun anew by a socket', () => {
    socket().fail()
    other().open()
    other().say(STEP)
    later(40)
    expect(sockets.length).toBe(1)
    race.settled()
    later(30)
    expect(sockets.length).toBe(2)
  })

  test('bytes of a text that is long on its way by requests keep the rival away', () => {
    socket().fail()
    other().open()
    other().say(STEP)
    race.send(Uint8Array.of(STEP))
    for (let seconds = 0; seconds < 60; seconds += 5) {
      other().events.alive()
      later(5)
    }
    expect(sockets.length).toBe(1)
  })

  test('a socket that opens and stays silent is given up, and tried again', () => {
    socket().fail()
    other().settle()
    later(30)
    socket().open()
    later(10)
    expect(socket().isClosed).toBe(true)
    expect([heard, race.detour?.why]).toEqual([['opened', '0'], 'silent'])
    later(60)
    expect(sockets.length).toBe(3)
  })

  test('a rival is left its whole chance, whatever became of the one before it', () => {
    socket().fail()
    other().settle()
    race.tryAgain()
    later(9)
    socket().fail()
    race.tryAgain()
    later(9)
    expect(socket().isClosed).toBe(false)
    socket().settle()
    expect(race.carrier).toBe(socket())
  })

  test('the next page begins with both at once, until a socket works or the network changes', () => {
    socket().fail()
    other().settle()
    race.destroy()
    begin()
    expect([sockets.length, requests.length]).toEqual([1, 1])
    window.dispatchEvent(new Event('online'))
    race.destroy()
    begin()
    expect([sockets.length, requests.length]).toEqual([1, 0])
  })

  test('another network is tried at once', () => {
    socket().fail()
    other().settle()
    window.dispatchEvent(new Event('online'))
    expect(sockets.length).toBe(2)
  })

  test('a browser that keeps nothing begins with the socket', () => {
    const refuse = vi.spyOn(Storage.prototype, 'getItem').mockImplementation(() => {
      throw new DOMException('refused', 'SecurityError')
    })
    race.destroy()
    begin()
    socket().fail()
    other().settle()
    expect(race.carrier).toBe(other())
    refuse.mockRestore()
  })
})

test('stopped is stopped', () => {
  socket().open()
  race.stop()
  expect(socket().isClosed).toBe(true)
  socket().say(STEP)
  later(600)
  expect([heard, requests, race.carrier]).toEqual([['opened'], [], undefined])
  expect(race.send(Uint8Array.of(1))).toBe(false)
  expect(vi.getTimerCount()).toBe(0)
})
