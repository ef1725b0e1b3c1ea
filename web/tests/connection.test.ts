// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Carrier, CarrierEvents } from '../src/sync/carrier'
import { Connection } from '../src/sync/connection'

/** Carriers in the order in which they were begun. */
let begun: { lane: 'socket' | 'requests'; events: CarrierEvents }[]
let connection: Connection

const last = (): CarrierEvents => (begun.at(-1) as (typeof begun)[number]).events
const later = (seconds: number): void => void vi.advanceTimersByTime(seconds * 1000)
const STEP_1 = Uint8Array.of(0, 0, 1, 0)

const opener =
  (lane: 'socket' | 'requests') =>
  (events: CarrierEvents): Carrier => {
    begun.push({ lane, events })
    return { kind: lane === 'socket' ? 'socket' : 'stream', send: () => true, close: () => {} }
  }

function works(): void {
  last().opened(false)
  last().heard(STEP_1)
  connection.settled()
}

beforeEach(() => {
  vi.useFakeTimers()
  localStorage.clear()
  begun = []
  const openers = { socket: opener('socket'), requests: opener('requests') }
  connection = new Connection(openers, { opened: () => {}, message: () => {}, lost: () => {} })
  connection.connect()
})

afterEach(() => {
  connection.destroy()
  later(0) // the storage tells other windows in a turn of its own
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

describe('what carries', () => {
  test('is told once it was heard, and why it is no socket', () => {
    last().closed(1006, '')
    last().opened(false)
    expect(connection.state.value).toMatchObject({ phase: 'open', carrier: null })
    last().heard(STEP_1)
    const triedAgainAt = Date.now() + 30_000
    expect(connection.state.value).toMatchObject({
      carrier: 'stream',
      detour: { why: 'refused', triedAgainAt },
    })
    connection.settled()
    connection.trySocket()
    expect(begun.map(({ lane }) => lane)).toEqual(['socket', 'requests', 'socket'])
    works()
    expect(connection.state.value).toMatchObject({ carrier: 'socket', detour: null })
  })

  test('is told anew when the socket was tried in vain', () => {
    last().closed(1006, '')
    works()
    later(30)
    last().closed(1006, '')
    expect(connection.state.value.detour?.triedAgainAt).toBe(Date.now() + 60_000)
  })

  test('is nothing while there is no connection', () => {
    last().closed(1006, '')
    works()
    connection.drop('gone')
    expect(connection.state.value).toMatchObject({ phase: 'waiting', carrier: null, detour: null })
  })
})

describe('after the end', () => {
  const wait = (): number => (connection.state.value.retryAt ?? 0) - Date.now()

  test('of a session that was only forgotten another begins at once', () => {
    last().closed(1006, '')
    works()
    last().closed(1001, 'The session has ended')
    expect(wait()).toBeLessThan(301)
    later(0.3)
    expect(connection.state.value.phase).toBe('connecting')
  })

  test('of one that never worked it waits as ever', () => {
    last().closed(1006, '')
    last().closed(1001, '')
    expect(wait()).toBeGreaterThan(499)
  })

  test('of a server that restarts its people come back one after the other', () => {
    const pauses = [0.1, 0.9].map(chance => {
      vi.spyOn(Math, 'random').mockReturnValue(chance)
      last().closed(1006, '')
      last().closed(1012, 'The server is restarting.')
      const pause = wait()
      later(pause / 1000)
      return pause
    })
    vi.restoreAllMocks()
    expect(pauses).toEqual([950, 1_800])
  })

  test('it stays away for as long as the server asks', () => {
    last().closed(1006, '')
    last().closed(1013, 'Too many connections are open.', 20_000)
    expect(wait()).toBe(20_000)
  })
})
