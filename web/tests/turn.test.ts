// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Turn } from '../src/sync/turn'
import { hide, Locks, share } from './support/windows'

let log: string[]
let turns: Turn[]

/** A window that takes part. */
function open(name: string): Turn {
  const turn = new Turn(
    'a text',
    signal => {
      log.push(`${name} begins`)
      signal.addEventListener('abort', () => log.push(`${name} ends`))
    },
    () => log.push(`${name} is alone`),
  )
  turns.push(turn)
  turn.start()
  return turn
}

const settle = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

beforeEach(() => {
  vi.useFakeTimers()
  localStorage.clear()
  log = []
  turns = []
})

afterEach(() => {
  for (const turn of turns) turn.stop()
  hide(false)
  vi.useRealTimers()
})

for (const [kind, make] of [
  ['with locks', () => new Locks()],
  ['without, as over plain HTTP', () => null],
] as const) {
  describe(kind, () => {
    beforeEach(() => void share(make()))

    test('the window that is looked at takes the turn, the one before waits', async () => {
      open('one')
      await settle(2_000)
      const two = open('two')
      await settle(2_000)
      expect(log[0]).toBe('one begins')
      expect(log.slice(1).sort()).toEqual(['one ends', 'two begins'])
      two.stop()
      await settle(8_000)
      expect(log.slice(-2)).toEqual(['two ends', 'one begins'])
    })

    test('a window in the background waits until there is no other', async () => {
      const one = open('one')
      await settle(2_000)
      hide(true)
      open('two')
      await settle(20_000)
      expect(log).toEqual(['one begins'])
      one.stop()
      await settle(8_000)
      expect(log).toEqual(['one begins', 'one ends', 'two begins'])
    })

    test('a page that is frozen gives it away, and takes it again when it is looked at', async () => {
      open('one')
      await settle(2_000)
      document.dispatchEvent(new Event('freeze'))
      await settle(8_000)
      expect(log).toEqual(['one begins', 'one ends'])
      document.dispatchEvent(new Event('resume'))
      await settle(8_000)
      expect(log).toEqual(['one begins', 'one ends', 'one begins'])
    })

    test('a window that was stopped while it waited is not served any more', async () => {
      open('one')
      await settle(2_000)
      hide(true)
      const two = open('two')
      await settle()
      two.stop()
      turns[0]?.stop()
      await settle(20_000)
      expect(log).toEqual(['one begins', 'one ends'])
      expect(vi.getTimerCount()).toBe(0)
    })
  })
}

test('taking it again and again leaves nobody waiting twice', async () => {
  const locks = share() as Locks
  const windows = [open('one'), open('two'), open('three')]
  for (let round = 0; round < 10; round++) {
    for (const window of windows) {
      window.take()
      await settle()
    }
  }
  expect(locks.waiting).toBe(2)
})

describe('where windows cannot agree, each has a turn of its own', () => {
  test('refused locks', async () => {
    const refused = { request: () => Promise.reject(new DOMException('refused', 'SecurityError')) }
    share(refused as unknown as Locks)
    open('one')
    open('two')
    await settle(60_000)
    expect(log).toEqual(['one is alone', 'one begins', 'two is alone', 'two begins'])
  })

  test('no locks and no storage', async () => {
    share(null)
    const refuse = vi.spyOn(Storage.prototype, 'getItem').mockImplementation(() => {
      throw new DOMException('refused', 'SecurityError')
    })
    open('one')
    await settle(60_000)
    expect(log).toEqual(['one is alone', 'one begins'])
    refuse.mockRestore()
  })
})

test('a window that is gone without a word loses its turn', async () => {
  share(null)
  localStorage.setItem('coscribe.lease a text', `somebody ${Date.now() + 5_000}`)
  hide(true)
  open('one')
  await settle(4_000)
  expect(log).toEqual([])
  await settle(3_000)
  expect(log).toEqual(['one begins'])
})
